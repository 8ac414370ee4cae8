/** Why another is ahead of the engine, where that is known. */
import type { WorkName } from '../harness/peer-catalogue.js'
import type { ComparedRow } from '../scenarios/compared-works.js'

interface Reason {
  readonly work: readonly WorkName[]
  readonly ours: 'sockets' | 'shm' | 'any'
  readonly others: readonly string[]
  readonly why: string
}

/** The first that fits. */
const reasons: readonly Reason[] = [
  {
    work: ['round-trip', 'fan-in', 'stream', 'idle'],
    ours: 'any',
    others: ['MessagePort, threads'],
    why: 'two threads of one process: nothing crosses from one process to another',
  },
  {
    work: ['round-trip'],
    ours: 'sockets',
    others: ['net', 'child pipes', 'child_process, json', 'node-ipc'],
    why: 'one frame at a time leaves nothing to batch: the same system calls as net, with more JavaScript around them',
  },
  {
    work: ['stream'],
    ours: 'sockets',
    others: ['net', 'net, corked', 'child pipes', 'child_process, advanced', 'zeromq'],
    why: 'large frames are copied into a ring and out of one besides, by four threads in place of two',
  },
  {
    work: ['fan-in'],
    ours: 'sockets',
    others: ['net', 'node-ipc', 'zeromq'],
    why: 'worker threads do the I/O: less CPU on the main threads, but more in all',
  },
  {
    work: ['fan-in'],
    ours: 'shm',
    others: ['net', 'node-ipc', 'zeromq'],
    why: 'each connection wakes the other process by a byte of its own: as many system calls as net, and rings besides',
  },
  {
    work: ['idle'],
    ours: 'any',
    others: ['net', 'node-ipc', 'vscode-jsonrpc', 'undici'],
    why: 'each connection has rings, and state in two threads or for a segment',
  },
]

export function reasonFor(work: WorkName, own: ComparedRow, other: ComparedRow): string | undefined {
  const carried = own.ours === 'shm' ? 'shm' : 'sockets'
  return reasons.find((reason) => {
    const isOverThat = reason.ours === 'any' || reason.ours === carried
    return isOverThat && reason.work.includes(work) && reason.others.includes(other.name)
  })?.why
}
