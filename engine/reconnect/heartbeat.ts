/**
 * Finds a peer that is connected and silent. One timer, only while there is a connection. It judges only while the user
 * waits for a frame: otherwise a silent peer looks the same as one that waits for room.
 */
import type { Frame } from '../common/frame.js'
import { notPromised } from '../common/handler-failures.js'
import { TransportError } from '../protocol/errors.js'
import type { Clock } from '../protocol/clock.js'
import type { HeartbeatSettings, TrackedConnection } from './reconnecting-settings.js'
import type { UserFrames } from './user-frames.js'

export interface HeartbeatHost {
  readonly connection: Pick<TrackedConnection, 'info' | 'pendingBytes' | 'send' | 'cut'>
  readonly frames: UserFrames
  /** Whether the user waits for the next frame of this connection. */
  readonly isReading: () => boolean
  /** `ping` failed, or made what cannot be sent. */
  readonly onPingFailed: (cause: unknown) => void
}

export class Heartbeat {
  readonly #settings: HeartbeatSettings
  readonly #clock: Clock
  readonly #host: HeartbeatHost
  #heard = false
  #cancel: () => void

  constructor(settings: HeartbeatSettings, clock: Clock, host: HeartbeatHost) {
    this.#settings = settings
    this.#clock = clock
    this.#host = host
    this.#cancel = this.#rest()
  }

  /** True: the frame answers a ping, and is not given to the user. */
  onFrame(frame: Buffer): boolean {
    const { isPong } = this.#settings
    if (isPong === undefined) {
      this.#heard = true
      return false
    }
    if (!notPromised(isPong(frame), 'heartbeat.isPong')) return false
    this.#heard = true
    return true
  }

  stop(): void {
    this.#cancel()
    this.#cancel = () => undefined
  }

  #rest(): () => void {
    return this.#clock.setTimer(() => this.#ask(), this.#settings.intervalMs, { keepsAlive: false })
  }

  #ask(): void {
    const { ping, isPong, timeoutMs } = this.#settings
    if (this.#heard && isPong === undefined) {
      // A sign of life in the meantime: nothing to ask.
      this.#heard = false
      this.#cancel = this.#rest()
      return
    }
    this.#heard = false
    const onTimer = (): void => {
      // Timers come before messages: what has arrived meanwhile counts, and is looked at first.
      this.#clock.nextTurn(() => {
        if (this.#cancel === cancel) this.#judge()
      })
    }
    const cancel = this.#clock.setTimer(onTimer, timeoutMs, { keepsAlive: false })
    this.#cancel = cancel
    if (ping !== undefined) this.#send(ping)
  }

  #send(ping: () => Frame): void {
    const { connection, frames, onPingFailed } = this.#host
    // What was sent before has not left: then the peer does not read, and a ping would not help.
    if (connection.pendingBytes > 0) return
    const place = connection.info.framesSent
    try {
      connection.send(notPromised(ping(), 'heartbeat.ping'))
      frames.pingAt(place)
    } catch (cause) {
      // The loss of a connection that has ended is on its way; anything else is the ping's fault.
      if (!(cause instanceof TransportError && cause.code === 'ERR_CLOSED')) onPingFailed(cause)
    }
  }

  #judge(): void {
    if (!this.#heard && this.#host.isReading()) {
      const { connection } = this.#host
      const message = `the peer said nothing for ${String(this.#settings.timeoutMs)} ms (heartbeat.timeoutMs) after it was asked.`
      connection.cut(new TransportError('ERR_TIMEOUT', message, { endpoint: connection.info.endpoint }))
      return
    }
    this.#heard = false
    this.#cancel = this.#rest()
  }
}
