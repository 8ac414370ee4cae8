/** What was opened and what was released, by kind. Anything that differs after `engine.close()` is a defect. */

/** docs/observability.md says what each of them is. */
const resourceKinds = [
  'shards',
  'connections',
  'reconnectingConnections',
  'listeners',
  'pools',
  'socketFiles',
  'descriptors',
  'helpers',
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

/** While an engine lives: what is open is in use. */
export interface LedgerSnapshot {
  readonly byKind: Readonly<Record<ResourceKind, LedgerLine & { readonly open: number }>>
  readonly opened: number
  readonly released: number
  /** Opened and not released yet. */
  readonly open: number
}

/** What `engine.close()` leaves. */
export interface LedgerReport {
  readonly byKind: Readonly<Record<ResourceKind, LedgerLine>>
  readonly opened: number
  readonly released: number
  /** Opened and not released: 0, or a defect. */
  readonly leaked: number
}

export class Ledger {
  readonly #lines = new Map<ResourceKind, { opened: number; released: number }>(
    resourceKinds.map((kind) => [kind, { opened: 0, released: 0 }]),
  )

  open(kind: ResourceKind, count = 1): void {
    this.#line(kind).opened += count
  }

  release(kind: ResourceKind, count = 1): void {
    this.#line(kind).released += count
  }

  snapshot(): LedgerSnapshot {
    const { opened, released } = this.#sums()
    return {
      byKind: this.#by((line) => ({ ...line, open: line.opened - line.released })),
      opened,
      released,
      open: opened - released,
    }
  }

  /** Of an engine that has closed. */
  report(): LedgerReport {
    const { opened, released } = this.#sums()
    return { byKind: this.#by((line) => ({ ...line })), opened, released, leaked: opened - released }
  }

  #sums(): LedgerLine {
    let opened = 0
    let released = 0
    for (const line of this.#lines.values()) {
      opened += line.opened
      released += line.released
    }
    return { opened, released }
  }

  #by<Line>(of: (line: LedgerLine) => Line): Record<ResourceKind, Line> {
    return Object.fromEntries([...this.#lines].map(([kind, line]) => [kind, of(line)])) as Record<ResourceKind, Line>
  }

  #line(kind: ResourceKind): { opened: number; released: number } {
    const line = this.#lines.get(kind)
    if (line === undefined) throw new Error(`the ledger has no line for ${kind}`)
    return line
  }
}
