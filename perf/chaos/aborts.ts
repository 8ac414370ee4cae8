/** Aborts every promise of the API after some turns: each must settle and leave nothing behind. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TransportError, type Connection, type ReconnectingConnection } from '../../api/index.js'
import type { Action, AbortedCall } from './plan.js'
import type { World } from './world.js'

type Calls = Extract<Action, { kind: 'aborts' }>['calls']

/** Makes the call, and undoes what came of it. */
type Call = (world: World, signal: AbortSignal) => Promise<unknown>

let names = 0

const calls: Record<AbortedCall, Call> = {
  connect: async ({ engine }, signal) => {
    const connection = await engine.transport('memory:chaos', { framing: 'length-be' }).connect({ signal })
    await connection.close()
  },
  'connect-child': async ({ engine }, signal) => {
    const child = { kind: 'stdio', command: '/bin/cat' } as const
    const connection = await engine.transport(child).connect({ signal })
    await connection.close()
  },
  'connect-shared': async ({ engine, folder }, signal) => {
    // Where the target is not there, nobody listens.
    const connection = await engine.transport(`shm:${folder}/shared.sock`).connect({ signal })
    await connection.close()
  },
  listen: async ({ engine, folder }, signal) => {
    const listener = await engine.transport(`unix:${folder}/${String(++names)}.sock`).listen(undefined, { signal })
    await listener.close()
  },
  accept: async ({ engine }, signal) => {
    const listener = await engine.transport(`memory:aborts-${String(++names)}`).listen()
    try {
      await listener.accept({ signal })
    } finally {
      await listener.close()
    }
  },
  receive: (world, signal) => withConnection(world, (connection) => connection.receive({ signal })),
  ready: (world, signal) =>
    withConnection(world, async (connection) => {
      while (connection.send(Buffer.alloc(65_536)));
      await connection.ready({ signal })
    }),
  end: (world, signal) =>
    withConnection(world, async (connection) => {
      connection.send(Buffer.alloc(65_536))
      await connection.end({ signal })
    }),
  acquire: async ({ engine }, signal) => {
    const pool = engine.transport('memory:chaos', { framing: 'length-be' }).pool({ max: 1 })
    try {
      const lease = await pool.acquire({ signal })
      // The second one waits until the signal aborts it.
      await pool.acquire({ signal }).finally(() => {
        lease.release()
      })
    } finally {
      await pool.close()
    }
  },
  'reconnecting-connected': (world, signal) =>
    withReconnecting(world, (connection) => connection.connected({ signal })),
  'reconnecting-ready': (world, signal) => withReconnecting(world, (connection) => connection.ready({ signal })),
  'reconnecting-receive': (world, signal) => withReconnecting(world, (connection) => connection.receive({ signal })),
  'reconnecting-end': (world, signal) => withReconnecting(world, (connection) => connection.end({ signal })),
}

/** Resolves when all have settled. Rejects if one rejected with anything but an error of the engine. */
export async function abortCalls(world: World, list: Calls): Promise<void> {
  await Promise.all(
    list.map(async ({ call, turns }) => {
      const controller = new AbortController()
      const settled = calls[call](world, controller.signal).then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof TransportError)) throw error
        },
      )
      for (let turn = 0; turn < turns; turn++) await nextTurn()
      controller.abort()
      await settled
    }),
  )
}

/** To a peer that never reads and never sends anything. */
async function withConnection({ engine }: World, use: (connection: Connection) => Promise<unknown>): Promise<void> {
  const transport = engine.transport(`memory:aborts-${String(++names)}`)
  const listener = await transport.listen()
  try {
    const connection = await transport.connect()
    try {
      await use(connection)
    } finally {
      connection.destroy()
      await connection.closed
    }
  } finally {
    await listener.close()
  }
}

/** To an endpoint without a listener: it keeps trying until it is destroyed. */
async function withReconnecting(
  { engine }: World,
  use: (connection: ReconnectingConnection) => Promise<unknown>,
): Promise<void> {
  const connection = engine.transport(`memory:unserved-${String(++names)}`).reconnecting()
  try {
    await use(connection)
  } finally {
    connection.destroy()
    await connection.closed
  }
}
