/** Counts what was opened and released, by kind. A difference after `engine.close()` is a defect. */

/** docs/observability.md says what each of them is. */
const resourceKinds = [
  'shards',
  'connections',
  'reconnectingConnections',
  'listeners',
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

export class Ledger {
  readonly #lines = mapKinds(() => ({ opened: 0, released: 0 }))

  open(kind: ResourceKind, count = 1): void {
    this.#lines[kind].opened += count
  }

  release(kind: ResourceKind, count = 1): void {
    this.#lines[kind].released += count
  }

  snapshot(): LedgerSnapshot {
    const byKind = mapKinds((kind) => withOpen(this.#lines[kind]))
    return { byKind, ...withOpen(this.#sums()) }
  }

  /** For an engine that has closed. */
  report(): LedgerReport {
    const { opened, released } = this.#sums()
    return { byKind: mapKinds((kind) => ({ ...this.#lines[kind] })), opened, released, leaked: opened - released }
  }

  #sums(): LedgerLine {
    const lines = Object.values(this.#lines)
    const sum = (what: keyof LedgerLine): number => lines.reduce((total, line) => total + line[what], 0)
    return { opened: sum('opened'), released: sum('released') }
  }
}

function mapKinds<Value>(of: (kind: ResourceKind) => Value): Record<ResourceKind, Value> {
  return Object.fromEntries(resourceKinds.map((kind) => [kind, of(kind)])) as Record<ResourceKind, Value>
}

function withOpen({ opened, released }: LedgerLine): LedgerLine & { readonly open: number } {
  return { opened, released, open: opened - released }
}
