/**
 * Memory that this shard shares with other processes, for connections that handler modules serve. All of it belongs to
 * this thread. A thread that dies gives nothing back itself: descriptors lie where Node closes them then, and of
 * addresses main is told, which has them unmapped.
 */
import { NOBODY } from '../../engine/common/diagnostics.js'
import fs from 'node:fs'
import { findNativeMemory, type FoundMemory } from '../../engine/native/find-native-memory.js'
import type { NativeMemory, OnRange, ThreadMemory } from '../../engine/native/native-memory.js'
import { handleOver, type SocketHandle } from '../../engine/internals/socket-handle.js'
import type { SharedLedger } from '../../engine/shared-memory/shared-ledger.js'
import { SharedMemory } from '../../engine/shared-memory/shared-memory.js'
import type { OwnLoad } from '../own-load.js'
import type { HandlerMeter } from './handler-meter.js'
import type { ServedLanes } from './served-lanes.js'

export class ServedMemory {
  readonly #onRange: OnRange
  readonly #ledger: SharedLedger
  #native: ThreadMemory | undefined
  #finding: Promise<FoundMemory> | undefined
  #memory: SharedMemory | undefined

  /** `onRange`: told of each range of addresses that has to be given back once this thread is gone. */
  constructor(meter: HandlerMeter, load: Pick<OwnLoad, 'opened' | 'closed'>, onRange: OnRange) {
    this.#onRange = onRange
    this.#ledger = {
      open: (kind) => {
        meter.open(kind)
        // Others are counted by their pumps.
        if (kind === 'connections') load.opened()
      },
      release: (kind) => {
        meter.release(kind)
        if (kind === 'connections') load.closed()
      },
    }
  }

  /** Made when it is first needed. The sizes are the engine's, and the same each time. */
  over(lanes: ServedLanes, initialRingBytes: number, maxRingBytes: number): SharedMemory {
    this.#memory ??= new SharedMemory({
      engine: NOBODY,
      ledger: this.#ledger,
      doorbell: lanes.doorbell,
      initialRingBytes,
      maxRingBytes,
      find: () => (this.#finding ??= this.#find()),
      idPrefix: lanes.idPrefix,
      onTaken: lanes.onTaken,
      run: (step) => lanes.doorbell.run(step),
    })
    return this.#memory
  }

  /** For a handshake, which comes to it only once native memory was found. */
  readonly duplicate = ({ fd }: SocketHandle): SocketHandle | undefined => {
    const native = this.#native
    if (native === undefined) return undefined
    try {
      return ownHandle(native, native.duplicate(fd))
    } catch {
      // No number is left, or the system knows no such call: the connection goes over the socket.
      return undefined
    }
  }

  async #find(): Promise<FoundMemory> {
    const found = await findNativeMemory()
    if (found.memory === undefined) return found
    this.#native = found.memory
    found.memory.watchRanges(this.#onRange)
    return { memory: knownToNode(found.memory) }
  }
}

function ownHandle(native: ThreadMemory, fd: number): SocketHandle {
  try {
    return handleOver(fd)
  } catch (error) {
    native.close(fd)
    throw error
  }
}

/** Node closes what it has opened itself when a thread ends, and warns when that closes anything else. */
function knownToNode(native: ThreadMemory): NativeMemory {
  const createMemfd = (name: string): number => {
    const fd = native.createMemfd(name)
    try {
      return fs.openSync(`/proc/self/fd/${String(fd)}`, 'r+')
    } finally {
      native.close(fd)
    }
  }
  return {
    provider: native.provider,
    hasMemfd: native.hasMemfd,
    createMemfd,
    sealSize: (fd) => native.sealSize(fd),
    isSizeSealed: (fd) => native.isSizeSealed(fd),
    reserve: (fd, offset, length) => native.reserve(fd, offset, length),
    map: (fd, length) => native.map(fd, length),
    peerOf: (socket) => native.peerOf(socket),
  }
}
