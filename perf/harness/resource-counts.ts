/** What the operating system says that this process has. Linux only. */
import fs from 'node:fs'

export interface ProcessResources {
  readonly threads: number
  readonly descriptors: number
  readonly children: number
  /** Children that have ended and were not reaped. */
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

/** What the descriptors are of, with how many there are of each: `socket`, `pipe`, `anon_inode:[eventpoll]`, a path. */
export function descriptorKinds(): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>()
  for (const descriptor of fs.readdirSync('/proc/self/fd')) {
    const kind = linkOf(descriptor).replace(/:\[\d+\]$/, '')
    kinds.set(kind, 1 + (kinds.get(kind) ?? 0))
  }
  return kinds
}

function linkOf(descriptor: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    // The one that the list was read with.
    return 'gone'
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
