declare module 'parse-prometheus-text-format' {
  interface Metric {
    name: string;
    help: string;
    type: 'GAUGE' | 'COUNTER' | 'UNTYPED';
    metrics: { labels?: Record<string, string>; value: string }[];
  }
  const parse: (text: string) => Metric[];
  export default parse;
}
