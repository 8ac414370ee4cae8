/** Counts the bytes by which main wakes its peers: each is one write of one byte. */
import fs from 'node:fs'

/** From here on. Returns how many there were. */
export function countWakes(): () => number {
  const original = fs.writeSync.bind(fs) as (...values: unknown[]) => number
  let count = 0
  Reflect.set(fs, 'writeSync', (...values: unknown[]) => {
    const written = original(...values)
    if (values[3] === 1) count += written
    return written
  })
  return () => count
}
