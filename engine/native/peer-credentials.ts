/** Who is at the other end of a Unix socket, by what the system has noted when it was connected. */
import { LOCAL_PEERPID, SO_PEERCRED } from './platform.js'
import type { SystemCalls } from './system-calls.js'

export interface Peer {
  readonly uid: number
  /** Undefined where the system does not tell, or the process is in a namespace that this one cannot see into. */
  readonly pid: number | undefined
}

/** Undefined if the system refused, which `errno()` tells then. */
export function peerOf(calls: SystemCalls, socket: number): Peer | undefined {
  const { own } = calls
  if (own.system === 'darwin') {
    const uid = new Uint32Array(1)
    if (own.getpeereid(socket, uid, new Uint32Array(1)) === -1) return undefined
    return { uid: Number(uid[0]), pid: knownPid(socketOption(calls, socket, LOCAL_PEERPID, 1)?.[0]) }
  }
  const [pid, uid] = socketOption(calls, socket, SO_PEERCRED, 3) ?? []
  return uid === undefined ? undefined : { uid, pid: knownPid(pid) }
}

function socketOption(
  calls: SystemCalls,
  socket: number,
  { level, option }: { readonly level: number; readonly option: number },
  words: number,
): Uint32Array | undefined {
  const value = new Uint32Array(words)
  const length = new Uint32Array([value.byteLength])
  return calls.getsockopt(socket, level, option, value, length) === -1 ? undefined : value
}

function knownPid(pid: number | undefined): number | undefined {
  return pid === 0 ? undefined : pid
}
