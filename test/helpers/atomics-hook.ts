/**
 * Looks at the `Atomics` operations of a synchronous piece of work, each of which is a point where another thread may
 * come in between. Tests that use this must run serially.
 */
const names = ['load', 'store', 'exchange', 'compareExchange', 'add', 'sub', 'and', 'or', 'xor'] as const

/** Calls `before` ahead of each operation of `work`; operations of `before` itself do not count. */
function hookAtomics(before: () => void, work: () => void): void {
  const originals = new Map<string, (...args: unknown[]) => unknown>()
  let inside = false
  for (const name of names) {
    const original = Reflect.get(Atomics, name) as (...args: unknown[]) => unknown
    originals.set(name, original)
    Reflect.set(Atomics, name, (...args: unknown[]) => {
      if (!inside) {
        inside = true
        before()
        inside = false
      }
      return original(...args)
    })
  }
  try {
    work()
  } finally {
    for (const [name, original] of originals) Reflect.set(Atomics, name, original)
  }
}

export function countAtomics(work: () => void): number {
  let operations = 0
  hookAtomics(() => operations++, work)
  return operations
}

export interface Interleaving {
  /** What one thread does. */
  readonly work: () => void
  /** What the other does meanwhile, all of it between two operations of the first. */
  readonly intrusion: () => void
  /** What must hold when both are done. `at`: the operation that the other thread came ahead of. */
  readonly check: (at: number) => void
}

/** Runs the intrusion before each operation in turn, and after the last; returns how many places there were. */
export function interleave(create: () => Interleaving): number {
  for (let at = 0; ; at++) {
    const { work, intrusion, check } = create()
    let operation = 0
    hookAtomics(() => {
      if (operation++ === at) intrusion()
    }, work)
    const wasLast = operation <= at
    if (wasLast) intrusion()
    check(at)
    if (wasLast) return at + 1
  }
}
