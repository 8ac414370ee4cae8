/** A system without /proc, as far as a held folder can see: the look for a descriptor's path finds none. */
import fs from 'node:fs'

export function withoutProc(): () => void {
  const { statSync } = fs
  const elsewhere = (path: string, options: fs.StatOptions): unknown => {
    if (path.startsWith('/proc/')) throw Object.assign(new Error('there is no /proc'), { code: 'ENOENT' })
    return statSync(path, options)
  }
  Object.assign(fs, { statSync: elsewhere })
  return () => {
    Object.assign(fs, { statSync })
  }
}
