/**
 * Finds a peer that is connected and silent. One timer, only while the link is connected.
 *
 * It judges only while somebody waits for a frame: then everything that came was seen. A link whose frames nobody takes
 * cannot tell a silent peer from one that waits for room.
 */
import type { Frame } from '../common/frame.js'
import { notPromised } from '../common/handler-failures.js'
import type { Clock } from '../protocol/clock.js'
import type { HeartbeatSettings } from './reconnecting-settings.js'

export interface HeartbeatHost {
  /** Whether somebody waits for the next frame of this connection. */
  isReading(): boolean
  /** Sends it, unless what was sent before has not left: then the peer does not read, and one more would not help. */
  ping(make: () => Frame): void
  onSilent(): void
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

  /** True: the frame answers a ping and is nobody else's business. */
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
    return this.#clock.setTimer(
      () => {
        this.#ask()
      },
      this.#settings.intervalMs,
      { keepsAlive: false },
    )
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
    if (ping !== undefined) this.#host.ping(ping)
  }

  #judge(): void {
    if (!this.#heard && this.#host.isReading()) {
      this.#host.onSilent()
      return
    }
    this.#heard = false
    this.#cancel = this.#rest()
  }
}
