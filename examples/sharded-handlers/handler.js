/** Runs in the shards: each loads this module, and has its own `served`. */
import { scryptSync } from 'node:crypto'

/** Each request takes some milliseconds of CPU, during which this shard does nothing else. */
const COST = { N: 2 ** 12 }

export const setup = () => ({ served: 0 })

/** What main can call, as `listener.handlers[i].api`. */
export const api = ({ state }) => ({ served: () => state.served })

export default function serve(connection, { data, shard, state }) {
  connection.subscribe((password) => {
    const key = scryptSync(password, data.salt, 32, COST).toString('hex')
    state.served++
    connection.send(JSON.stringify({ key, shard }))
  })
}
