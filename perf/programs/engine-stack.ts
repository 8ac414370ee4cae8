/** The engine, as a host would use it. */
import type * as api from '../../api/index.js'
import type { Connection, Engine } from '../../api/index.js'
import { fallbackOf } from '../harness/fallback.js'
import { endpointAt } from '../harness/meeting-place.js'
import { stamp as stampAt, type SideConfig } from '../harness/messages.js'
import { answerer, type Answering } from '../harness/work.js'
import { engineAsker } from './engine-asker.js'
import { EngineClient } from './client.js'
import type { Peer, PeerStack } from './peer.js'
import { stampedFrames } from './stamped-frames.js'

/** What `--sizes` may be. */
export const MOST_FRAME_BYTES = 67_108_864

const NOTHING = Buffer.alloc(0)

const handlerModule = new URL('handlers/answering-handler.js', import.meta.url)

export class EnginePeer implements Peer {
  readonly #connection: Connection
  readonly #batch: Buffer[] = []
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

  sendBatch(stamp: number, count: number): boolean {
    // Put together each time, as a host would.
    const batch = this.#batch
    batch.length = count
    for (let i = 0; i < count; i++) batch[i] = this.#frames[stampAt(stamp + i)] ?? NOTHING
    return this.#connection.sendBatch(batch)
  }

  flush(): void {
    // The engine publishes by itself when the turn ends.
  }

  ready(): Promise<void> {
    return this.#connection.ready()
  }
}

const ownEngine = new URL('../../api/index.js', import.meta.url).href

/** The engine that is measured: this tree's, or another one with as much of its API as is used here. */
export async function measuredEngine({
  engine: url = ownEngine,
  ...given
}: Partial<Pick<SideConfig, 'engine' | 'shards' | 'wake' | 'inlineWrites' | 'traceHops'>>): Promise<Engine> {
  const { createEngine } = (await import(url)) as typeof api
  return createEngine(onlyGiven(given))
}

/** An older engine may not know an option, and refuse even one that is undefined. */
function onlyGiven<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

export async function engineStack(config: SideConfig): Promise<PeerStack> {
  const { shards, wake, inlineWrites, framing, traceHops } = config
  const engine = await measuredEngine({ engine: config.engine, shards, wake, inlineWrites, traceHops })
  const dialled: Pick<Connection, 'info'>[] = []
  const transport = engine.transport(endpointAt(config.path, config.transport), {
    ...onlyGiven({ framing }),
    maxFrameBytes: MOST_FRAME_BYTES,
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
    async listenForBatches(onBatch) {
      await transport.listen((connection) => void connection.subscribeBatch(onBatch))
    },
    // The engine parses whatever it echoes.
    echo: () => serve('echo'),
    answer: serve,
    asker: (sharing) => engineAsker(transport, config.connections, sharing, dialled),
    shardUtilization: () => engine.stats().shards.map(({ eventLoopUtilization }) => eventLoopUtilization),
    fallback: () => (config.transport === 'shm' ? fallbackOf(engine, dialled) : undefined),
    hops: { read: () => engine.stats().hops ?? [], reset: () => engine.resetHops() },
    async close() {
      const { leaked } = await engine.close()
      return leaked === 0
    },
  }
}
