import type { SchemaObject } from './describe.ts';

/** How some databases have an object; null where they lack it. */
export interface Variant {
  definition: string | null;
  instances: string[];
}

/** An object that is not the same everywhere. */
export interface Difference {
  kind: string;
  name: string;
  /** The one that most have first: by it the others are told. */
  variants: [Variant, ...Variant[]];
}

export interface DescribedInstance {
  instance: string;
  objects: SchemaObject[];
}

/** Compares the schemas of siblings object by object, and says which have it how. Ordered by kind and name. */
export function compareSchemas(siblings: DescribedInstance[]): Difference[] {
  const byInstance = siblings.map(({ instance, objects }) => ({
    instance,
    definitionOf: new Map(objects.map((object) => [keyOf(object), object.definition])),
  }));
  const all = new Map(siblings.flatMap(({ objects }) => objects.map((object) => [keyOf(object), object])));
  return [...all.entries()]
    .flatMap(([key, { kind, name }]) => {
      const variants = variantsOf(
        byInstance.map(({ instance, definitionOf }) => ({ instance, definition: definitionOf.get(key) ?? null })),
      );
      const [first, ...others] = variants;
      return first === undefined || others.length === 0
        ? []
        : [{ kind, name, variants: [first, ...others] satisfies Difference['variants'] }];
    })
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** The lines that one definition has and the other has not. */
export function changedLines(from: string, to: string): { gone: string[]; come: string[] } {
  return { gone: without(from.split('\n'), to.split('\n')), come: without(to.split('\n'), from.split('\n')) };
}

function without(lines: string[], others: string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const index = left.indexOf(line);
    if (index !== -1) left.splice(index, 1);
    return index === -1;
  });
}

function variantsOf(having: { instance: string; definition: string | null }[]): Variant[] {
  const definitions = [...new Set(having.map(({ definition }) => definition))];
  return definitions
    .map((definition) => ({
      definition,
      instances: having.filter((one) => one.definition === definition).map(({ instance }) => instance),
    }))
    .toSorted((a, b) => b.instances.length - a.instances.length);
}

function keyOf({ kind, name }: { kind: string; name: string }): string {
  return `${kind}\0${name}`;
}
