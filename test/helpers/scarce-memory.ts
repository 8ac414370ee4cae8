/** A system without memory for pieces of a certain size and above. Tests that use it must run serially. */
const sized = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const
const all = [...sized, 'from', 'concat'] as const
const Shared = SharedArrayBuffer

/** From here on until the function that is returned is called. */
export function exhaustMemory(fromBytes: number): () => void {
  const check = (bytes: number): void => {
    if (bytes >= fromBytes) throw new RangeError('Array buffer allocation failed')
  }
  const originals = all.map((name) => [name, Reflect.get(Buffer, name) as unknown] as const)
  for (const name of sized) {
    const original = Reflect.get(Buffer, name) as (size: number) => Buffer
    Reflect.set(Buffer, name, (size: number) => {
      check(size)
      return original.call(Buffer, size)
    })
  }
  const from = Reflect.get(Buffer, 'from') as (source: unknown, ...rest: unknown[]) => Buffer
  Reflect.set(Buffer, 'from', (source: unknown, ...rest: unknown[]) => {
    if (typeof source === 'string') check(Buffer.byteLength(source))
    else if (source instanceof Uint8Array) check(source.length)
    return from.call(Buffer, source, ...rest)
  })
  const concat = Reflect.get(Buffer, 'concat') as (parts: readonly Uint8Array[], bytes?: number) => Buffer
  Reflect.set(Buffer, 'concat', (parts: readonly Uint8Array[], bytes?: number) => {
    check(bytes ?? parts.reduce((sum, part) => sum + part.length, 0))
    return concat.call(Buffer, parts, bytes)
  })
  const construct = (target: typeof Shared, [bytes]: [number]): SharedArrayBuffer => {
    check(bytes)
    return new target(bytes)
  }
  Reflect.set(globalThis, 'SharedArrayBuffer', new Proxy(Shared, { construct }))
  return () => {
    for (const [name, original] of originals) Reflect.set(Buffer, name, original)
    Reflect.set(globalThis, 'SharedArrayBuffer', Shared)
  }
}

/** During a synchronous piece of work. */
export function withoutMemory<T>(fromBytes: number, work: () => T): T {
  const restore = exhaustMemory(fromBytes)
  try {
    return work()
  } finally {
    restore()
  }
}
