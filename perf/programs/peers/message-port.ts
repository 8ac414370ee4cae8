/** Ports between two threads of one process: no process boundary, and each message is cloned. */
import { MessageChannel, parentPort, Worker, type MessagePort } from 'node:worker_threads'
import { STAMPS } from '../../harness/messages.js'
import { NO_PAYLOAD, type ComparedClient, type ComparedPeer, type Payload } from './compared-stack.js'

/** A port has no backpressure: the receiver confirms each of these parts, of which two may be under way. */
const WINDOW_BYTES = 4_194_304
const MOST_MESSAGES = 1_000

function windowFor(bytes: number): number {
  return Math.max(1, Math.min(MOST_MESSAGES, Math.floor(WINDOW_BYTES / bytes)))
}

class PortClient implements ComparedClient {
  readonly #port: MessagePort
  #messages: readonly Payload[] = []
  #onAnswer: (answer: Payload) => void = () => undefined

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (message: Payload) => {
      this.#onAnswer(message)
    })
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    this.#onAnswer = onAnswer
    this.#port.postMessage(this.#messages[stamp])
  }

  async pour(count: number): Promise<void> {
    const window = windowFor(this.#messages[0]?.length ?? 1)
    let confirmed = 0
    let wake = (): void => undefined
    this.#onAnswer = () => {
      confirmed++
      wake()
    }
    for (let i = 0; i < count; i++) {
      this.#port.postMessage(this.#messages[i & (STAMPS - 1)] ?? NO_PAYLOAD)
      if ((i + 1) % window !== 0) continue
      const least = (i + 1) / window - 1
      while (confirmed < least) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
}

const messagePort: ComparedPeer = ({ far }) => {
  const ports: MessagePort[] = []
  let worker: Worker | undefined
  const listen = (onPort: (port: MessagePort) => void): Promise<void> => {
    parentPort?.on('message', (port: MessagePort) => {
      ports.push(port)
      onPort(port)
    })
    return Promise.resolve()
  }
  return {
    payload: 'bytes',
    answer: () =>
      listen((port) => {
        port.on('message', (message) => {
          port.postMessage(message)
        })
      }),
    take: (onMessage) =>
      listen((port) => {
        let got = 0
        port.on('message', (message: Payload) => {
          onMessage(message)
          if (++got % windowFor(message.length) === 0) port.postMessage('')
        })
      }),
    connect: () => {
      worker ??= new Worker(far.program, { workerData: far.argument })
      const { port1, port2 } = new MessageChannel()
      ports.push(port1)
      worker.postMessage(port2, [port2])
      return Promise.resolve(new PortClient(port1))
    },
    async close() {
      for (const port of ports) port.close()
      parentPort?.close()
      await worker?.terminate()
      return true
    },
  }
}

export default messagePort
