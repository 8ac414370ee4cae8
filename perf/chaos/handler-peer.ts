/**
 * A peer that is a handler module in the shards of the host's own engine. Its listener uses `raw` framing, so that it
 * can send bytes that are no frame.
 */
import type { Connection, HandlerContext } from '../../api/index.js'
import { PeerConnection, type PeerHost } from './peer-connection.js'
import type { PeerFraming } from './peer-framing.js'
import { FileRecorder } from './record.js'

/** Words that all shards and the host see. */
export const word = { PAUSED: 0, REFUSED: 1, WORDS: 2 } as const

export interface HandlerPeerData {
  readonly framing: PeerFraming
  readonly record: string
  readonly words: Int32Array
}

export interface HandlerPeerApi {
  /** PAUSED was taken back. */
  goOn(): void
}

type Context = HandlerContext<HandlerPeerData, HandlerPeer>

class HandlerPeer implements PeerHost {
  readonly framing: PeerFraming
  readonly recorder: FileRecorder
  readonly #words: Int32Array
  #waiting: (() => void)[] = []

  constructor({ framing, record, words }: HandlerPeerData) {
    this.framing = framing
    this.recorder = new FileRecorder(record)
    this.#words = words
  }

  refuse(count: number): void {
    Atomics.store(this.#words, word.REFUSED, count)
  }

  /** Whether this connection is one of those to be cut at once. */
  takeRefusal(): boolean {
    for (;;) {
      const left = Atomics.load(this.#words, word.REFUSED)
      if (left === 0) return false
      if (Atomics.compareExchange(this.#words, word.REFUSED, left, left - 1) === left) return true
    }
  }

  /** Undefined: nothing is read while this is pending. */
  pause(): Promise<void> | undefined {
    if (Atomics.load(this.#words, word.PAUSED) === 0) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  readonly goOn = (): void => {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

export function setup({ data }: Context): HandlerPeer {
  return new HandlerPeer(data)
}

export function api({ state }: Context): HandlerPeerApi {
  return { goOn: state.goOn }
}

export function teardown({ state }: Context): void {
  state.recorder.close()
}

export default function serve(connection: Connection, { state }: Context): void {
  if (state.takeRefusal()) {
    connection.destroy()
    return
  }
  let hasRoom = true
  const peer = new PeerConnection(
    {
      write: (bytes) => {
        hasRoom = sendIfOpen(connection, bytes)
      },
      end: () => void connection.end(),
      cut: () => connection.destroy(),
    },
    state,
  )
  connection.subscribe((chunk) => {
    peer.onBytes(Buffer.from(chunk))
    // Rejects when the connection ends: then nothing more follows.
    return state.pause() ?? (hasRoom ? undefined : connection.ready().catch(() => undefined))
  })
}

/** False: wait for room. */
export function sendIfOpen(connection: Connection, bytes: Buffer): boolean {
  try {
    return connection.send(bytes)
  } catch {
    // It has ended meanwhile; what it had received is recorded.
    return true
  }
}
