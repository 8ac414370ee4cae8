/** Usage: node client.js [ENDPOINT] */
import process from 'node:process'
import { createBirpc } from 'birpc'
import { createEngine } from 'symphony-transport'
import { toBirpcChannel } from 'symphony-transport/adapters'

const [, , endpoint = 'local:birpc'] = process.argv

const engine = await createEngine({ shards: 1 })
try {
  const connection = await engine.transport(endpoint).connect()
  const channel = toBirpcChannel(connection)
  const functions = { counted: (number) => console.log(`the server has counted to ${number}`) }
  const server = channel.attach(createBirpc(functions, channel))
  console.log(`1 + 2 = ${await server.add(1, 2)}`)
  console.log(await server.countTo(3))
  await server.divide(1, 0).catch((error) => console.log(`${error.name}: ${error.message}`))
  await connection.close()
  await server.add(1, 2).catch((error) => console.log(`after the end: ${error.message}`))
} finally {
  await engine.close()
}
