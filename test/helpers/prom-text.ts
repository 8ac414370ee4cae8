/** What Prometheus would read from a registry's text. */

export interface PromSeries {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export class PromText {
  readonly series: readonly PromSeries[]
  /** `counter`, `gauge` or `histogram`, by name. */
  readonly types: ReadonlyMap<string, string>

  constructor(text: string) {
    const lines = text.split('\n').filter((line) => line !== '')
    const types = lines.flatMap((line) => [...line.matchAll(/^# TYPE (\S+) (\S+)$/g)])
    this.types = new Map(types.map(([, name = '', type = '']) => [name, type]))
    this.series = lines.filter((line) => !line.startsWith('#')).map(seriesOf)
  }

  /** The sum of all series of this name that have these labels. Fails where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.find(name, labels)
    if (found.length === 0) throw new Error(`no series ${name}${JSON.stringify(labels)}`)
    return found.reduce((total, { value }) => total + value, 0)
  }

  find(name: string, labels: Readonly<Record<string, string>> = {}): readonly PromSeries[] {
    const fits = (series: PromSeries): boolean =>
      series.name === name && Object.entries(labels).every(([label, value]) => series.labels[label] === value)
    return this.series.filter(fits)
  }
}

function seriesOf(line: string): PromSeries {
  const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Error(`no line of Prometheus: ${line}`)
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [label, text])
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }
}
