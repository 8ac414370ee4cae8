/** The engine: between two processes over sockets or shared memory, or answered by a handler module in a shard. */
import { createEngine, type Connection } from '../../../api/index.js'
import { fallbackOf } from '../../harness/fallback.js'
import { endpointAt, SOCKETS, type Transport } from '../../harness/meeting-place.js'
import { MOST_FRAME_BYTES } from '../engine-stack.js'
import { NO_PAYLOAD, pourInto, type ComparedClient, type ComparedPeer, type Payload } from './compared-stack.js'

const handlerModule = new URL('../handlers/answering-handler.js', import.meta.url)

class EngineClient implements ComparedClient {
  readonly #connection: Connection
  #messages: readonly Payload[] = []
  #onAnswer: (answer: Payload) => void = () => undefined

  constructor(connection: Connection) {
    this.#connection = connection
    connection.subscribe(
      (frame) => {
        this.#onAnswer(frame)
      },
      { borrow: true },
    )
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    this.#onAnswer = onAnswer
    this.#connection.send(this.#messages[stamp] ?? NO_PAYLOAD)
  }

  pour(count: number): Promise<void> {
    return pourInto(
      count,
      (stamp) => this.#connection.send(this.#messages[stamp] ?? NO_PAYLOAD),
      () => this.#connection.ready(),
    )
  }
}

const engine: ComparedPeer = async ({ path, variant }) => {
  const transportKind = variant === 'module' ? SOCKETS : (variant as Transport)
  const own = await createEngine()
  const transport = own.transport(endpointAt(path, transportKind), { maxFrameBytes: MOST_FRAME_BYTES })
  const dialled: Connection[] = []
  return {
    payload: 'bytes',
    async answer() {
      if (variant === 'module') {
        await transport.listen({ handler: handlerModule, data: 'echo' })
        return
      }
      await transport.listen((connection) => {
        connection.subscribe((frame) => void connection.send(frame), { borrow: true })
      })
    },
    async take(onMessage) {
      await transport.listen((connection) => {
        connection.subscribe(onMessage, { borrow: true })
      })
    },
    async connect() {
      const connection = await transport.connect()
      dialled.push(connection)
      return new EngineClient(connection)
    },
    fallback: () => (transportKind === 'shm' ? fallbackOf(own, dialled) : undefined),
    async close() {
      return (await own.close()).leaked === 0
    },
  }
}

export default engine
