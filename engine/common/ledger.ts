/** Counts what was opened and released, by kind. A difference after `engine.close()` is a defect. */

/** docs/observability.md says what each of them is. */
const resourceKinds = [
  'shards',
  'connections',
  'reconnectingConnections',
  'listeners',
  'handlers',
  'pools',
  'socketFiles',
  'descriptors',
  'duplicates',
  'segments',
  'mappings',
  'children',
  'guardians',
  'dials',
  'regions',
  'lanes',
] as const

export type ResourceKind = (typeof resourceKinds)[number]

export interface LedgerLine {
  readonly opened: number
  readonly released: number
}

/** While an engine runs: what is open is in use. */
export interface LedgerSnapshot {
  readonly byKind: Readonly<Record<ResourceKind, LedgerLine & { readonly open: number }>>
  readonly opened: number
  readonly released: number
  /** Opened and not released yet. */
  readonly open: number
}

/** What `engine.close()` resolves with. */
export interface LedgerReport {
  readonly byKind: Readonly<Record<ResourceKind, LedgerLine>>
  readonly opened: number
  readonly released: number
  /** Opened and not released: 0, or a defect. */
  readonly leaked: number
}

/** What others count themselves, of some kinds. */
export type LedgerSource = () => Partial<Record<ResourceKind, LedgerLine>>

export class Ledger {
  readonly #own = mapKinds(() => ({ opened: 0, released: 0 }))
  readonly #sources: LedgerSource[] = []

  addSource(source: LedgerSource): void {
    this.#sources.push(source)
  }

  open(kind: ResourceKind, count = 1): void {
    this.#own[kind].opened += count
  }

  release(kind: ResourceKind, count = 1): void {
    this.#own[kind].released += count
  }

  snapshot(): LedgerSnapshot {
    const lines = this.#lines()
    return { byKind: mapKinds((kind) => withOpen(lines[kind])), ...withOpen(sumsOf(lines)) }
  }

  /** For an engine that has closed. */
  report(): LedgerReport {
    const byKind = this.#lines()
    const { opened, released } = sumsOf(byKind)
    return { byKind, opened, released, leaked: opened - released }
  }

  #lines(): Record<ResourceKind, LedgerLine> {
    const others = this.#sources.map((source) => source())
    return mapKinds((kind) => {
      const { opened, released } = this.#own[kind]
      const sum = (what: keyof LedgerLine): number =>
        others.reduce((total, lines) => total + (lines[kind]?.[what] ?? 0), 0)
      return { opened: opened + sum('opened'), released: released + sum('released') }
    })
  }
}

function sumsOf(byKind: Readonly<Record<ResourceKind, LedgerLine>>): LedgerLine {
  const lines = Object.values(byKind)
  const sum = (what: keyof LedgerLine): number => lines.reduce((total, line) => total + line[what], 0)
  return { opened: sum('opened'), released: sum('released') }
}

function mapKinds<Value>(of: (kind: ResourceKind) => Value): Record<ResourceKind, Value> {
  return Object.fromEntries(resourceKinds.map((kind) => [kind, of(kind)])) as Record<ResourceKind, Value>
}

function withOpen({ opened, released }: LedgerLine): LedgerLine & { readonly open: number } {
  return { opened, released, open: opened - released }
}
