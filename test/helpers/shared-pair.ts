/** Both ends of a connection over a segment, in one process and without a shard: the memory is this test's own. */
import fs from 'node:fs'
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import type { ConnectionIdentity, LaneConnection } from '../../engine/connection/lane-connection.js'
import { HandlerFailures } from '../../engine/common/handler-failures.js'
import { Ledger } from '../../engine/common/ledger.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import type { Mapping, NativeMemory } from '../../engine/native/native-memory.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { HEADER_BYTES, wordsOf } from '../../engine/shared-memory/segment-layout.js'
import { onMain } from '../../engine/shared-memory/on-main.js'
import { SharedMemory, type ShakenLane } from '../../engine/shared-memory/shared-memory.js'
import { Doorbell } from '../../engine/wake/doorbell.js'
import { wakeStrategyOf, type WakePolicy } from '../../engine/wake/wake-policy.js'
import { specOf } from './wire-bytes.js'
import { socketPair } from './socket-handles.js'
import { makeTemporaryFolder, type TemporaryFolder } from './temporary-folder.js'

const MAX_FRAME_BYTES = 64 * 1_048_576

/** "Maps" files into memory of this process: whoever maps the same file gets the same memory. */
export class FakeNative implements NativeMemory {
  readonly provider = 'koffi'
  readonly hasMemfd = false
  /** Reserving fails from here on. */
  isFull = false
  mapped = 0
  readonly #views = new Map<string, ArrayBuffer>()

  createMemfd(): number {
    throw new Error('there is none')
  }

  sealSize(): void {
    throw new Error('there is none')
  }

  isSizeSealed(): boolean {
    return false
  }

  reserve(): void {
    if (this.isFull) throw Object.assign(new Error('fallocate ENOSPC'), { code: 'ENOSPC' })
  }

  map(fd: number, length: number): Mapping {
    const { ino } = fs.fstatSync(fd)
    this.mapped++
    const view = (offset: number, bytes: number): ArrayBuffer => {
      const key = `${String(ino)} ${String(offset)} ${String(bytes)}`
      let memory = this.#views.get(key)
      if (memory === undefined) {
        memory = new ArrayBuffer(bytes)
        this.#views.set(key, memory)
      }
      return memory
    }
    return {
      length,
      needsDescriptor: false,
      reserve: () => this.reserve(),
      discard: () => undefined,
      view,
      // Memory of this process has no second view.
      lend: view,
      release: () => {
        this.mapped--
      },
    }
  }

  peerOf(): { uid: number; pid: number } {
    return { uid: process.getuid?.() ?? 0, pid: process.pid }
  }
}

export interface PairOptions {
  /** Real memory, in place of the test's own. */
  readonly native?: NativeMemory
  readonly settings?: Partial<ConnectionSettings>
  readonly wake?: WakePolicy
  readonly firstRingBytes?: number
  readonly maxRingBytes?: number
}

/** Messages of the handshake go through this process's memory. */
class DirectLane implements ShakenLane {
  readonly endpoint = 'shm:/pair'
  readonly shard = 0
  peer: DirectLane | undefined
  readonly #handle: SocketHandle
  readonly #messages: Buffer[] = []
  #waiting: ((message: Buffer) => void) | undefined

  constructor(handle: SocketHandle) {
    this.#handle = handle
  }

  send(message: Uint8Array): void {
    this.peer?.take(Buffer.from(message))
  }

  take(message: Buffer): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#messages.push(message)
    else waiting(message)
  }

  receive(): Promise<Buffer> {
    const message = this.#messages.shift()
    if (message !== undefined) return Promise.resolve(message)
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  duplicate(): Promise<SocketHandle> {
    return Promise.resolve(this.#handle)
  }

  sent(): Promise<void> {
    return Promise.resolve()
  }

  leave(): Promise<void> {
    return Promise.resolve()
  }

  connect(): LaneConnection {
    throw new Error('it was to share memory')
  }

  destroy(): void {
    return undefined
  }
}

export class SharedPair {
  readonly native = new FakeNative()
  readonly ledger = new Ledger()
  readonly dialled: LaneConnection
  readonly accepted: LaneConnection
  /** The words of the segment, as the peer of either side has them, and where those of each direction begin. */
  readonly words: Int32Array
  readonly directions = [wordsOf(0), wordsOf(1)] as const
  readonly dialledSide: SharedMemory
  readonly acceptedSide: SharedMemory
  readonly #folder: TemporaryFolder

  private constructor(
    folder: TemporaryFolder,
    parts: Pick<SharedPair, 'dialled' | 'accepted' | 'words' | 'dialledSide' | 'acceptedSide' | 'native' | 'ledger'>,
  ) {
    this.#folder = folder
    this.native = parts.native
    this.ledger = parts.ledger
    this.dialled = parts.dialled
    this.accepted = parts.accepted
    this.words = parts.words
    this.dialledSide = parts.dialledSide
    this.acceptedSide = parts.acceptedSide
  }

  static async connect(options: PairOptions = {}): Promise<SharedPair> {
    const folder = await makeTemporaryFolder()
    const fake = new FakeNative()
    const native = options.native ?? fake
    const ledger = new Ledger()
    const [one, other] = await socketPair(folder.socketPath())
    const greeting = new DirectLane(one)
    const answering = new DirectLane(other)
    greeting.peer = answering
    answering.peer = greeting
    const sides = [sideOf(options, native, ledger), sideOf(options, native, ledger)] as const
    const settings = settingsOf(options.settings)
    let header: ArrayBuffer | undefined
    const map = native.map.bind(native)
    native.map = (fd, length) => {
      const mapping = map(fd, length)
      const view = mapping.view.bind(mapping)
      mapping.view = (offset, bytes) => {
        const memory = view(offset, bytes)
        if (offset === 0) header = memory
        return memory
      }
      return mapping
    }
    const [dialled, accepted] = await Promise.all([
      sides[0].dial(greeting, settings, identityOf('dialled'), 'shared'),
      sides[1].accept(answering, settings, identityOf('accepted'), 'shared'),
    ]).catch(async (error: unknown) => {
      await folder.remove()
      throw error
    })
    native.map = map
    if (header === undefined) throw new Error('nothing was mapped')
    const words = new Int32Array(header, 0, HEADER_BYTES / 4)
    return new SharedPair(folder, {
      native: fake,
      ledger,
      dialled,
      accepted,
      words,
      dialledSide: sides[0],
      acceptedSide: sides[1],
    })
  }

  async close(): Promise<void> {
    this.dialled.destroy()
    this.accepted.destroy()
    await Promise.all([this.dialled.closed, this.accepted.closed])
    await this.#folder.remove()
  }
}

function sideOf({ wake = 'park', ...options }: PairOptions, native: NativeMemory, ledger: Ledger): SharedMemory {
  const isReferenced = (): boolean => memory.isReferenced
  const doorbell: Doorbell = new Doorbell(wakeStrategyOf(wake), isReferenced, () => performance.now())
  const memory: SharedMemory = new SharedMemory({
    engine: '0',
    ledger,
    doorbell,
    initialRingBytes: options.firstRingBytes ?? 8192,
    maxRingBytes: options.maxRingBytes ?? 8_388_608,
    find: () => Promise.resolve({ memory: native }),
    ...onMain,
  })
  doorbell.add(memory.bell)
  return memory
}

function identityOf(role: 'dialled' | 'accepted'): ConnectionIdentity {
  return { kind: 'shm', endpoint: 'shm:/pair', role, halfClose: true, hasDescriptor: true }
}

function settingsOf(options: Partial<ConnectionSettings> = {}): ConnectionSettings {
  return {
    engine: '0',
    framing: specOf('length', { maxFrameBytes: MAX_FRAME_BYTES }),
    maxFrameBytes: MAX_FRAME_BYTES,
    maxPendingBytes: 2 * MAX_FRAME_BYTES,
    maxRingBytes: 8_388_608,
    frameTimeoutMs: undefined,
    closeTimeoutMs: 2_000,
    allowHalfOpen: false,
    inlineWrites: 'auto',
    inlineWriteBytes: 4096,
    failures: new HandlerFailures(systemClock, undefined),
    onOutlived: () => undefined,
    clock: systemClock,
    ...options,
  }
}
