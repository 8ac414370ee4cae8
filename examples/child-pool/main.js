/** Usage: node main.js [CHILDREN [JOBS...]]. A job is a number, whose primes up to it are counted, or `crash`. */
import { availableParallelism } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createEngine } from 'symphony-transport'

const [, , children = availableParallelism(), ...given] = process.argv
const jobs = given.length > 0 ? given : Array.from({ length: 40 }, (_, i) => String(100_000 + i))

const engine = await createEngine({ shards: 1 })
const child = { kind: 'stdio', command: process.execPath, args: [fileURLToPath(new URL('child.js', import.meta.url))] }
const pool = engine.transport(child, { framing: 'line' }).pool({ min: Number(children), max: Number(children) })

/** One job on one child, which works for nobody else meanwhile. */
async function run(job) {
  return pool.use(async (connection) => {
    connection.send(job)
    const answer = await connection.receive()
    return { ...JSON.parse(answer), pid: connection.info.pid }
  })
}

const doneBy = new Map()
await Promise.all(
  jobs.map(async (job) => {
    try {
      const { primes, pid } = await run(job)
      doneBy.set(pid, (doneBy.get(pid) ?? 0) + 1)
      console.log(`${job}: ${primes} primes`)
    } catch (error) {
      // Its child is gone, and the pool makes another one: the other jobs do not notice.
      console.log(`${job}: ${error.code}`)
    }
  }),
)
console.log(`by ${doneBy.size} children: ${[...doneBy.values()].join(', ')}`)
await pool.close()
const { byKind } = await engine.close()
console.log(`${byKind.children.opened} children were started, and ${byKind.children.released} have ended`)
