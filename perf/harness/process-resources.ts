/** What the operating system says that this process has. Linux only. */
import fs from 'node:fs'

export interface ProcessResources {
  readonly threads: number
  readonly descriptors: number
  readonly children: number
  /** Children that have ended and that nobody has waited for. */
  readonly zombies: number
}

export const canCountResources = process.platform === 'linux'

export function processResources(): ProcessResources {
  const threads = fs.readdirSync('/proc/self/task')
  const children = threads.flatMap((thread) => {
    try {
      return fs.readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean)
    } catch {
      // A thread that has ended since, or a kernel without that file.
      return []
    }
  })
  return {
    threads: threads.length,
    descriptors: fs.readdirSync('/proc/self/fd').length,
    children: children.length,
    zombies: children.filter(isZombie).length,
  }
}

function isZombie(pid: string): boolean {
  try {
    // The name in parentheses may contain anything; the state is behind the last one.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}
