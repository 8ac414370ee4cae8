/** What the main process does with the package. Nothing in it needs Electron. */
import { createEngine } from 'symphony-transport'

export async function ask(endpoint, question) {
  const engine = await createEngine({ shards: 1 })
  try {
    const connection = await engine.transport(endpoint).connect({ timeoutMs: 5000 })
    connection.send(question)
    return String(await connection.receive({ timeoutMs: 5000 }))
  } finally {
    await engine.close()
  }
}
