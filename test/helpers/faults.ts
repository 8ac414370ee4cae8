/** Makes worker threads die, as perf/chaos/faulty-worker.ts can, and listens for the engine's events about it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import type { BootFault } from '../../perf/chaos/strikes.js'

export * from '../../perf/chaos/strikes.js'

/** Threads started from here on fail to start, in this way; `shard`: only this one, if the way allows it. */
export function failBoots(fault: BootFault | undefined, shard?: number): void {
  process.env['SYMPHONY_BOOT_FAULT'] = fault ?? ''
  process.env['SYMPHONY_BOOT_FAULT_SHARD'] = String(shard ?? '')
}

/** The next message on one of the engine's channels that fits. It is listened for from the call on. */
export function nextEvent<Message extends object>(
  event: string,
  fits: (message: Message) => boolean = () => true,
): Promise<Message> {
  const channel = `symphony-transport:${event}`
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      if (!fits(message as Message)) return
      unsubscribe(channel, listen)
      resolve(message as Message)
    }
    subscribe(channel, listen)
  })
}

/** Every event on some of the engine's channels, in order, until it is stopped. */
export class EventLog {
  readonly lines: { readonly event: string; readonly message: object }[] = []
  readonly #stops: (() => void)[] = []

  constructor(...names: readonly string[]) {
    for (const event of names) {
      const channel = `symphony-transport:${event}`
      const listen = (message: unknown): void => {
        this.lines.push({ event, message: message as object })
      }
      subscribe(channel, listen)
      this.#stops.push(() => {
        unsubscribe(channel, listen)
      })
    }
  }

  of<Message extends object>(event: string): Message[] {
    return this.lines.filter((line) => line.event === event).map(({ message }) => message as Message)
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
