/** The engine, as a host would use it. */
import { createEngine, type Connection } from '../../api/index.js'
import { fallbackOf } from '../harness/fallback.js'
import { endpointAt } from '../harness/meeting-place.js'
import type { SideConfig } from '../harness/messages.js'
import { answerer, type Answering } from '../harness/work.js'
import { EngineClient } from './client.js'
import type { Peer, PeerStack } from './peer.js'
import { stampedFrames } from './stamped-frames.js'

/** What `--sizes` may be. */
export const MOST_FRAME_BYTES = 67_108_864

const NOTHING = Buffer.alloc(0)

const handlerModule = new URL('handlers/answering-handler.js', import.meta.url)

export class EnginePeer implements Peer {
  readonly #connection: Connection
  #frames: Buffer[] = []

  constructor(connection: Connection) {
    this.#connection = connection
  }

  prepare(bytes: number): void {
    this.#frames = stampedFrames(bytes, false)
  }

  send(stamp: number): boolean {
    return this.#connection.send(this.#frames[stamp] ?? NOTHING)
  }

  flush(): void {
    // The engine publishes by itself when the turn ends.
  }

  ready(): Promise<void> {
    return this.#connection.ready()
  }
}

export async function engineStack(config: SideConfig): Promise<PeerStack> {
  const { shards, wake, inlineWrites } = config
  const engine = await createEngine({ shards, wake, inlineWrites })
  const dialled: Connection[] = []
  const transport = engine.transport(endpointAt(config.path, config.transport), {
    maxFrameBytes: MOST_FRAME_BYTES,
    framing: config.framing,
  })
  /** On main, or in the shards. */
  const serve = async (answering: Answering): Promise<void> => {
    if (config.stack === 'engine-module') {
      await transport.listen({ handler: handlerModule, data: answering })
      return
    }
    const answer = answerer(answering)
    await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(answer(frame)), { borrow: true })
    })
  }
  return {
    async connect(onFrame) {
      const connection = await transport.connect()
      dialled.push(connection)
      connection.subscribe(onFrame, { borrow: true })
      return new EnginePeer(connection)
    },
    async client() {
      const connection = await transport.connect()
      dialled.push(connection)
      return new EngineClient(connection)
    },
    async listen(onPeer) {
      await transport.listen((connection) => {
        connection.subscribe(onPeer(new EnginePeer(connection)), { borrow: true })
      })
    },
    // The engine parses whatever it echoes.
    echo: () => serve('echo'),
    answer: serve,
    shardUtilization: () => engine.stats().shards.map(({ eventLoopUtilization }) => eventLoopUtilization),
    fallback: () => (config.transport === 'shm' ? fallbackOf(engine, dialled) : undefined),
    async close() {
      const { leaked } = await engine.close()
      return leaked === 0
    },
  }
}
