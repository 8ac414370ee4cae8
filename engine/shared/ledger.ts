/** What was opened and what was released, by kind. Anything that differs after `engine.close()` is a defect. */

export const resourceKinds = [
  'shards',
  'connections',
  'links',
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

export interface LedgerReport {
  readonly byKind: Readonly<Record<ResourceKind, LedgerLine>>
  readonly opened: number
  readonly released: number
  /** Opened and not released. 0 after `engine.close()`. */
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

  report(): LedgerReport {
    let opened = 0
    let released = 0
    const byKind = {} as Record<ResourceKind, LedgerLine>
    for (const [kind, line] of this.#lines) {
      byKind[kind] = { ...line }
      opened += line.opened
      released += line.released
    }
    return { byKind, opened, released, leaked: opened - released }
  }

  #line(kind: ResourceKind): { opened: number; released: number } {
    const line = this.#lines.get(kind)
    if (line === undefined) throw new Error(`the ledger has no line for ${kind}`)
    return line
  }
}
