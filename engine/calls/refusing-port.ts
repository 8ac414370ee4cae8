/** A port for Comlink that answers messages which could not be sent. */
import type { MessagePort } from 'node:worker_threads'

interface Sent {
  readonly id: string
}

type Listener = (event: { readonly data: unknown }) => void

/** What Comlink needs of a port. */
export interface RefusingPort {
  postMessage(message: Sent): void
  addEventListener(type: string, listener: Listener): void
  removeEventListener(): void
}

/**
 * Comlink keeps each call until its answer comes, also one whose arguments could not be copied: it would keep that one
 * for ever. So it is answered here, with what `toAnswer` makes of the error. For one `Comlink.wrap()`.
 */
export function refusingPort(port: MessagePort, toAnswer: (error: unknown) => unknown): RefusingPort {
  let deliver: Listener = () => undefined
  return {
    postMessage: (message) => {
      try {
        port.postMessage(message)
      } catch (error) {
        deliver({ data: { id: message.id, type: 'RAW', value: toAnswer(error) } })
      }
    },
    addEventListener: (_, listener) => {
      deliver = listener
      port.on('message', (data: unknown) => listener({ data }))
    },
    // The port is closed instead.
    removeEventListener: () => undefined,
  }
}
