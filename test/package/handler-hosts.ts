/**
 * Hosts with a handler module, as text: see hosts.ts. The module has the package itself, too, so that it may ask
 * whether an error of the engine's is one that it knows.
 */
import { byLength } from '../helpers/length.js'

const hostBody = `
async function main() {
  const [endpoint, workerEntry] = process.argv.slice(2)
  // Longer than any test may take: what fails must say so by itself.
  const engine = await createEngine({ shards: ${byLength({ short: '1', long: '2' })}, bootTimeoutMs: 600000, workerEntry })
  try {
    const transport = engine.transport(endpoint)
    const host = { double: (text) => text + text }
    const listener = await transport.listen({ handler, host, data: { greeting: 'hello ' }, setupTimeoutMs: 600000 })
    const connection = await transport.connect()
    connection.send('there')
    console.log(String(await connection.receive()))
    console.log(String(await connection.receive()))
    console.log(await listener.handlers[0].api.greeting())
    await listener.close()
  } finally {
    console.log('leaked ' + (await engine.close()).leaked)
  }
}
void main()
`

/** What a host prints. */
export const servedLines = 'hello therethere\nERR_CONSUMER_BUSY\nhello \nleaked 0\n'

/** `handler`: the module beside the host. In CommonJS what names it is `__dirname`. */
export function handlerHost(specifier: string, handler: string, format: 'esm' | 'cjs'): string {
  return format === 'esm'
    ? `import { createEngine } from '${specifier}'
const handler = new URL('./${handler}', import.meta.url)
${hostBody}`
    : `const { createEngine } = require('${specifier}')
const handler = require('node:path').join(__dirname, '${handler}')
${hostBody}`
}

const moduleBody = `
const setup = ({ data }) => data.greeting
const api = ({ state }) => ({ greeting: () => state })
const serve = (connection, { state, host }) => {
  connection.subscribe(async (frame) => {
    connection.send(state + (await host.double(String(frame))))
    const error = await connection.receive().catch((reason) => reason)
    connection.send(error instanceof TransportError ? error.code : 'a stranger: ' + error)
  })
}
`

export function handlerModule(specifier: string, format: 'esm' | 'cjs'): string {
  return format === 'esm'
    ? `import { TransportError } from '${specifier}'
${moduleBody}
export { api, setup, serve as default }
`
    : `const { TransportError } = require('${specifier}')
${moduleBody}
module.exports = Object.assign(serve, { api, setup })
`
}

/** Types that can be left out, and no more, so that Node itself runs it. */
export function typedHandlerModule(specifier: string): string {
  return `
import { TransportError, type Connection, type HandlerContext } from '${specifier}'

interface Data { readonly greeting: string }
interface Host { double(text: string): string }
type Context = HandlerContext<Data, string, Host>

export const setup = ({ data }: Context): string => data.greeting
export const api = ({ state }: Context) => ({ greeting: (): string => state })
export default (connection: Connection, { state, host }: Context): void => {
  connection.subscribe(async (frame) => {
    connection.send(state + (await host.double(String(frame))))
    const error: unknown = await connection.receive().catch((reason: unknown) => reason)
    connection.send(error instanceof TransportError ? error.code : 'a stranger')
  })
}
`
}
