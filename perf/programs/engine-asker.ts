/** How a host asks over the engine. */
import type { Connection, Transport } from '../../api/index.js'
import type { Sharing } from '../harness/messages.js'
import { Due, inTurn, type Asker } from './asker.js'

/** `dialled`: is told of its connections. */
export async function engineAsker(
  transport: Transport,
  count: number,
  sharing: Sharing,
  dialled: Pick<Connection, 'info'>[],
): Promise<Asker> {
  return sharing === 'lease' ? leasing(transport, count, dialled) : pipelining(transport, count, dialled)
}

async function leasing(transport: Transport, count: number, dialled: Pick<Connection, 'info'>[]): Promise<Asker> {
  const pool = transport.pool({ min: count, max: count })
  const all = await Promise.all(Array.from({ length: count }, () => pool.acquire()))
  dialled.push(...all.map(({ connection }) => connection))
  for (const lease of all) lease.release()
  return {
    ask: (request) =>
      pool.use(async (connection) => {
        connection.send(request)
        const answer = await connection.receive()
        if (answer === undefined) throw new Error('the process behind the host is gone')
        return answer
      }),
  }
}

async function pipelining(transport: Transport, count: number, dialled: Pick<Connection, 'info'>[]): Promise<Asker> {
  const connections: { readonly connection: Connection; readonly due: Due }[] = []
  for (let i = 0; i < count; i++) {
    const connection = await transport.connect()
    const due = new Due()
    connection.subscribe((frame) => due.answer(frame))
    void connection.closed.then(() => due.fail())
    connections.push({ connection, due })
    dialled.push(connection)
  }
  const next = inTurn(connections)
  return {
    ask(request) {
      const { connection, due } = next()
      return due.next(() => connection.send(request))
    },
  }
}
