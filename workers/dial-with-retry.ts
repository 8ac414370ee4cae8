/** Dials again while the listener's backlog is full: the system reports that at once instead of waiting. */
import { TransportError } from '../engine/protocol/errors.js'
import type { Clock } from '../engine/protocol/clock.js'
import { refusedDial, type Dialling } from './shard-transport.js'
import type { Wire } from './wire.js'

const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 100

/** No attempt begins after `timeoutMs`; one that has begun lasts until it is aborted. */
export function dialWithRetry(dial: () => Dialling, timeoutMs: number, clock: Clock): Dialling {
  const deadline = clock.now() + timeoutMs
  const attempt = (): Dialling => {
    try {
      return dial()
    } catch (error) {
      // Permissions may refuse at once.
      return refusedDial(error instanceof Error ? error : new Error(String(error)))
    }
  }
  let current = attempt()
  let stop = (): void => current.abort()
  const connect = async (): Promise<Wire> => {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await current.connected
      } catch (error) {
        const full = error instanceof TransportError && error.code === 'ERR_BACKLOG_FULL'
        if (!full || clock.now() + pause > deadline) throw error
      }
      await new Promise<void>((resolve, reject) => {
        const cancel = clock.setTimer(resolve, pause)
        stop = () => {
          cancel()
          reject(new Error('the dial was aborted'))
        }
      })
      current = attempt()
      stop = () => current.abort()
    }
  }
  return { connected: connect(), abort: () => stop() }
}
