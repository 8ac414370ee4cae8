/** Records the sizes of the Buffers that a synchronous piece of work allocates. Tests that use it must run serially. */
const names = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const

export function countAllocations(work: () => void): number[] {
  const sizes: number[] = []
  const originals = new Map<string, (size: number) => Buffer>()
  for (const name of names) {
    const original = Reflect.get(Buffer, name) as (size: number) => Buffer
    originals.set(name, original)
    Reflect.set(Buffer, name, (size: number) => {
      sizes.push(size)
      return original.call(Buffer, size)
    })
  }
  try {
    work()
  } finally {
    for (const [name, original] of originals) Reflect.set(Buffer, name, original)
  }
  return sizes
}
