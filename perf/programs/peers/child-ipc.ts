/** `child.send()` and `process.send()`: as JSON, where a message is text, or in V8's own format, where it is bytes. */
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'
import { STAMPS } from '../../harness/messages.js'
import { NO_PAYLOAD, type ComparedClient, type ComparedPeer, type Payload } from './compared-stack.js'
import { endOf, spawnFar } from './far-child.js'

class IpcClient implements ComparedClient {
  readonly #child: ChildProcess
  #messages: readonly Payload[] = []
  #onAnswer: (answer: Payload) => void = () => undefined

  constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message) => {
      this.#onAnswer(message as Payload)
    })
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    this.#onAnswer = onAnswer
    this.#child.send(this.#messages[stamp] ?? NO_PAYLOAD)
  }

  /** After `send()` has said no, the callback of the next message tells when all up to it have gone. */
  async pour(count: number): Promise<void> {
    let isFull = false
    for (let i = 0; i < count; i++) {
      const message = this.#messages[i & (STAMPS - 1)] ?? NO_PAYLOAD
      if (isFull) await this.#sendAndWait(message)
      isFull = isFull ? false : !this.#child.send(message)
    }
  }

  #sendAndWait(message: Payload): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.send(message, (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
  }
}

const childIpc: ComparedPeer = (settings) => {
  const serialization = settings.variant === 'advanced' ? 'advanced' : 'json'
  let child: ChildProcess | undefined
  return {
    payload: serialization === 'json' ? 'text' : 'bytes',
    answer: () => {
      process.on('message', (message) => process.send?.(message))
      return Promise.resolve()
    },
    take: (onMessage) => {
      process.on('message', (message) => {
        onMessage(message as Payload)
      })
      return Promise.resolve()
    },
    async connect() {
      child = await spawnFar(settings, ['ignore', 'inherit', 'inherit', 'ipc'], serialization)
      return new IpcClient(child)
    },
    close: () => {
      // Of the side that was started.
      if (process.connected) process.disconnect()
      return endOf(child)
    },
  }
}

export default childIpc
