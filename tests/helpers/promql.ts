import { parser } from '@prometheus-io/lezer-promql';
import parse from 'parse-prometheus-text-format';

type Labels = Record<string, string>;
interface Point {
  labels: Labels;
  value: number;
}
/** What one scrape said: the points of each metric. */
type Metrics = Map<string, Point[]>;
type Value = number | Point[];

/** What was scraped until now, as far as one expression may look back. */
export interface Scrapes {
  /** Seconds since 1970: what `time()` says. */
  now: number;
  latest: Metrics;
  /** An earlier scrape, for functions of a range; without it they have one point only, and say nothing. */
  earlier?: { metrics: Metrics; secondsBefore: number };
}

export function parseMetrics(text: string): Metrics {
  return new Map(
    parse(text).map(({ name, metrics }) => [
      name,
      metrics.map(({ labels = {}, value }) => ({ labels, value: Number(value) })),
    ]),
  );
}

/** A copy of the metrics in which the points of one have other values. @throws when there is no such point */
export function altered(metrics: Metrics, name: string, change: (point: Point) => number): Metrics {
  const points = metrics.get(name);
  if (points === undefined) throw new Error(`there is no metric ${name}`);
  return new Map(metrics).set(
    name,
    points.map((point) => ({ ...point, value: change(point) })),
  );
}

type Node = ReturnType<typeof parser.parse>['topNode'];

/**
 * The part of PromQL that templates/alerts.yaml is written in, read by Prometheus's own grammar: selectors, arithmetic,
 * comparisons, and/or/unless, time(), increase(), changes(), predict_linear(). @throws for anything else
 */
export function evaluate(expression: string, scrapes: Scrapes): Point[] {
  const text = (node: Node): string => expression.slice(node.from, node.to);
  const top = parser.parse(expression).topNode;
  top.cursor().iterate(({ type, from }) => {
    if (type.isError) throw new Error(`syntax error at ${from} in: ${expression}`);
  });

  const childrenOf = (node: Node): Node[] => {
    const children: Node[] = [];
    for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
    return children;
  };
  const select = (node: Node, metrics: Metrics): Point[] => {
    const name = text(node.getChild('Identifier') as Node);
    const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
    return (metrics.get(name) ?? []).filter(({ labels }) => matchers.every((matcher) => matches(matcher, labels)));
  };
  const matches = (matcher: Node, labels: Labels): boolean => {
    const [label, operator, literal] = childrenOf(matcher).map(text);
    const [has, wanted] = [labels[label ?? ''] ?? '', JSON.parse(literal ?? '""') as string];
    if (operator === '=') return has === wanted;
    if (operator === '=~') return new RegExp(`^(?:${wanted})$`).test(has);
    throw new Error(`no matcher ${operator} here`);
  };
  const valueOf = (node: Node): Value => {
    switch (node.name) {
      case 'ParenExpr':
        return valueOf(node.firstChild as Node);
      case 'NumberDurationLiteral':
        return Number(text(node));
      case 'VectorSelector':
        return select(node, scrapes.latest);
      case 'FunctionCall':
        return call(text(node.getChild('FunctionIdentifier') as Node), childrenOf(node.lastChild as Node));
      case 'BinaryExpr': {
        const [left, operator, ...rest] = childrenOf(node) as [Node, Node, ...Node[]];
        const on =
          rest.length === 2 ? rest[0]?.getChild('GroupingLabels')?.getChildren('LabelName').map(text) : undefined;
        return binary(text(operator), valueOf(left), valueOf(rest.at(-1) as Node), on);
      }
      default:
        throw new Error(`no ${node.name} here`);
    }
  };
  const call = (name: string, args: Node[]): Value => {
    if (name === 'time') return scrapes.now;
    const selector = args[0]?.getChild('VectorSelector') as Node;
    const { earlier } = scrapes;
    if (earlier === undefined) return [];
    const before = new Map(select(selector, earlier.metrics).map((point) => [keyOf(point.labels), point.value]));
    return select(selector, scrapes.latest).flatMap(({ labels, value }) => {
      const old = before.get(keyOf(labels));
      return old === undefined ? [] : [{ labels, value: overTime(name, old, value, args) }];
    });
  };
  const overTime = (name: string, old: number, value: number, args: Node[]): number => {
    switch (name) {
      case 'increase':
        return value - old;
      case 'changes':
        return value === old ? 0 : 1;
      case 'predict_linear':
        return value + ((value - old) / (scrapes.earlier?.secondsBefore ?? 1)) * (valueOf(args[1] as Node) as number);
      default:
        throw new Error(`no function ${name} here`);
    }
  };
  return valueOf(top.firstChild as Node) as Point[];
}

function keyOf(labels: Labels, on?: string[]): string {
  const kept = Object.entries(labels).filter(([name]) => on?.includes(name) ?? true);
  return JSON.stringify(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const arithmetic: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};
const comparisons: Record<string, (a: number, b: number) => boolean> = {
  '==': (a, b) => a === b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
};

function binary(operator: string, left: Value, right: Value, on: string[] | undefined): Value {
  const compute = arithmetic[operator];
  const compare = comparisons[operator];
  if (typeof left === 'number' && typeof right === 'number' && compute !== undefined) return compute(left, right);
  const keys = (value: Value): Set<string> => new Set((value as Point[]).map(({ labels }) => keyOf(labels, on)));
  if (operator === 'and') return (left as Point[]).filter(({ labels }) => keys(right).has(keyOf(labels, on)));
  if (operator === 'unless') return (left as Point[]).filter(({ labels }) => !keys(right).has(keyOf(labels, on)));
  if (operator === 'or') {
    const taken = keys(left);
    return [...(left as Point[]), ...(right as Point[]).filter(({ labels }) => !taken.has(keyOf(labels, on)))];
  }
  return pairs(left, right).flatMap(({ labels, a, b, kept }) => {
    if (compute !== undefined) return [{ labels, value: compute(a, b) }];
    if (compare === undefined) throw new Error(`no operator ${operator} here`);
    return compare(a, b) ? [{ labels, value: kept }] : [];
  });
}

/** A number goes with every point; points go with those of the same labels. A comparison keeps the vector's own value. */
function pairs(left: Value, right: Value): { labels: Labels; a: number; b: number; kept: number }[] {
  if (typeof left === 'number') {
    return (right as Point[]).map(({ labels, value }) => ({ labels, a: left, b: value, kept: value }));
  }
  return left.flatMap(({ labels, value }) => {
    const other =
      typeof right === 'number' ? right : right.find((point) => keyOf(point.labels) === keyOf(labels))?.value;
    return other === undefined ? [] : [{ labels, a: value, b: other, kept: value }];
  });
}
