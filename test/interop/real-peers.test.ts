/** Real programs that do not know the engine: a language server, an MCP server, an editor's core. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createMessageConnection } from 'vscode-jsonrpc/node.js'
import { toJsonRpc } from '../../api/adapters/index.js'
import { createEngine, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import { BridgedProgram } from '../helpers/bridged-program.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

/** Other programs need time to start. */
const WATCHDOG_MS = 50_000

let engine: Engine
let folder: TemporaryFolder

failOnWarnings()

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1 })
  folder = await makeTemporaryFolder()
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
  await folder.remove()
})

const require = createRequire(import.meta.url)
const languageServer = [require.resolve('vscode-json-languageserver/bin/vscode-json-languageserver'), '--stdio']
const fixture = (name: string): string[] => [fileURLToPath(new URL(`../fixtures/${name}.js`, import.meta.url))]

interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: unknown
  readonly error?: unknown
}

/** JSON-RPC by hand over a connection; what is not awaited is kept. */
class Rpc {
  readonly #connection: Connection
  readonly #version: object
  #seen: Message[] = []
  #nextId = 1

  constructor(connection: Connection, version: object = { jsonrpc: '2.0' }) {
    this.#connection = connection
    this.#version = version
  }

  notify(method: string, params: object): void {
    this.#connection.send(JSON.stringify({ ...this.#version, method, params }))
  }

  async call(method: string, params: object | null): Promise<unknown> {
    const id = this.#nextId++
    this.#connection.send(JSON.stringify({ ...this.#version, id, method, params }))
    const { result, error } = await this.next((message) => message.id === id && message.method === undefined)
    if (error !== undefined) throw new Error(JSON.stringify(error))
    return result
  }

  /** The next message of this sort; others stay for later calls. */
  async next(wanted: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const at = this.#seen.findIndex(wanted)
      const found = this.#seen[at]
      if (found !== undefined) {
        this.#seen = this.#seen.filter((message) => message !== found)
        return found
      }
      const frame = await this.#connection.receive()
      if (frame === undefined) throw new Error('the peer ended')
      this.#seen.push(JSON.parse(String(frame)) as Message)
    }
  }
}

interface Peer {
  readonly connection: Connection
  readonly program: BridgedProgram
}

/** The same as a child of the engine's own. */
function withChild(
  title: string,
  args: readonly string[],
  options: TransportOptions,
  body: (t: ExecutionContext, connection: Connection) => Promise<void>,
): void {
  const declare = process.platform === 'win32' ? test.serial.skip : test.serial
  declare(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const env = { ...process.env, NODE_OPTIONS: undefined }
    const endpoint = { kind: 'stdio', command: process.execPath, args, env } as const
    const connection = await engine.transport(endpoint, options).connect()
    try {
      await body(t, connection)
    } finally {
      connection.destroy()
      await connection.closed
    }
  })
}

function withPeer(
  title: string,
  args: readonly string[],
  options: TransportOptions,
  body: (t: ExecutionContext, peer: Peer) => Promise<void>,
): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const program = await BridgedProgram.start(folder, args)
    try {
      const connection = await engine.transport(program.endpoint, options).connect()
      try {
        await body(t, { connection, program })
      } finally {
        connection.destroy()
        await connection.closed
      }
    } finally {
      await program.stop()
    }
  })
}

const lsp = { framing: 'content-length' } as const
const initialize = { processId: null, rootUri: null, capabilities: {} }
const mcp = { framing: 'line' } as const
const mcpInitialize = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
}

async function talkToLanguageServer(t: ExecutionContext, connection: Connection): Promise<Rpc> {
  const rpc = new Rpc(connection)
  const { capabilities } = (await rpc.call('initialize', initialize)) as { capabilities: object }
  t.true('textDocumentSync' in capabilities)
  rpc.notify('initialized', {})
  // Longer than a ring, and with characters of several bytes: the length is one of bytes.
  const text = `{"ü": "${'世界'.repeat(30_000)}", }`
  rpc.notify('textDocument/didOpen', {
    textDocument: { uri: 'file:///a.json', languageId: 'json', version: 1, text },
  })
  const { params } = await rpc.next(({ method }) => method === 'textDocument/publishDiagnostics')
  const diagnostics = params?.['diagnostics'] as { message: string }[]
  t.is(params?.['uri'], 'file:///a.json')
  t.true(diagnostics.length > 0)
  t.is(await rpc.call('shutdown', null), null)
  return rpc
}

async function talkToMcpServer(t: ExecutionContext, connection: Connection): Promise<void> {
  const rpc = new Rpc(connection)
  const answer = await rpc.call('initialize', mcpInitialize)
  t.is((answer as { serverInfo: { name: string } }).serverInfo.name, 'fixture')
  rpc.notify('notifications/initialized', {})
  const { tools } = (await rpc.call('tools/list', {})) as { tools: { name: string }[] }
  t.deepEqual(
    tools.map(({ name }) => name),
    ['uname'],
  )
  const { content } = (await rpc.call('tools/call', { name: 'uname', arguments: {} })) as {
    content: { text: string }[]
  }
  t.is(content[0]?.text, 'a fixture\nof two lines')
}

withPeer(
  'a language server reports what is wrong with a document, and shuts down',
  languageServer,
  lsp,
  async (t, peer) => {
    const rpc = await talkToLanguageServer(t, peer.connection)
    rpc.notify('exit', {})
    t.is(await peer.connection.receive(), undefined)
    t.deepEqual(await peer.connection.closed, { code: 'OK' })
    await peer.program.exited
  },
)

for (const { what, args, options, first, second } of [
  { what: 'a language server', args: languageServer, options: lsp, first: initialize, second: 'shutdown' },
  {
    what: 'an MCP server',
    args: fixture('mcp-server'),
    options: mcp,
    first: mcpInitialize,
    second: 'tools/list',
  },
]) {
  /** In the middle of a conversation: a request is on its way. */
  const strike = async (connection: Connection, kill: () => void): Promise<void> => {
    const rpc = new Rpc(connection)
    await rpc.call('initialize', first)
    const waiting = rpc.call(second, {}).catch(() => undefined)
    kill()
    await waiting
  }

  withPeer(
    `${what} that is killed ends the connection, and nothing hangs`,
    args,
    options,
    async (t, { connection, program }) => {
      await strike(connection, () => {
        program.kill()
      })
      const { code } = await connection.closed
      t.true(['OK', 'ERR_RESET', 'ERR_TRUNCATED'].includes(code), code)
      if (code === 'OK') t.is(await connection.receive(), undefined)
    },
  )

  withChild(`${what} as a child that is killed says so, and nothing hangs`, args, options, async (t, connection) => {
    const { pid } = connection.info
    if (pid === undefined) throw new Error('a child has a pid')
    await strike(connection, () => process.kill(pid, 'SIGKILL'))
    const { code, exitCode, signal } = await connection.closed
    t.deepEqual([code, exitCode, signal], ['ERR_EXIT', null, 'SIGKILL'])
  })
}

withPeer('a peer that sends lines instead of headers is recognized', fixture('xi-core'), lsp, async (t, peer) => {
  // It takes the headers for lines of JSON and dies of them.
  peer.connection.send('{}')
  const { code } = await peer.connection.closed
  t.true(['OK', 'ERR_RESET', 'ERR_FRAMING'].includes(code), code)
})

withPeer('an MCP server lists its tools and calls one', fixture('mcp-server'), mcp, async (t, peer) => {
  await talkToMcpServer(t, peer.connection)
  await peer.connection.end()
  await peer.program.exited
  t.deepEqual(await peer.connection.closed, { code: 'OK' })
})

withPeer("an editor's core answers and notifies over lines", fixture('xi-core'), mcp, async (t, peer) => {
  const rpc = new Rpc(peer.connection, {})
  rpc.notify('client_started', {})
  await rpc.next(({ method }) => method === 'available_themes')
  const view = await rpc.call('new_view', {})
  await rpc.next(({ method }) => method === 'config_changed')
  const nextText = async (): Promise<string> => {
    const { params } = await rpc.next(({ method }) => method === 'update')
    const { ops } = params?.['update'] as { ops: { op: string; lines?: { text: string }[] }[] }
    return ops.flatMap(({ lines }) => (lines ?? []).map((line) => line.text)).join('')
  }
  t.is(await nextText(), '')
  const edit = (method: string, params: object = {}): void => {
    rpc.notify('edit', { view_id: view, method, params })
  }
  edit('insert', { chars: 'grüß' })
  edit('insert_newline')
  edit('insert', { chars: 'Gott!' })
  edit('delete_backward')
  const texts = []
  while (texts.length < 4) texts.push(await nextText())
  t.deepEqual(texts, ['grüß', 'grüß\n', 'grüß\nGott!', 'grüß\nGott'])
  const long = 'x'.repeat(300_000)
  edit('insert', { chars: long })
  t.is(await nextText(), `grüß\nGott${long}`)
  rpc.notify('no_such_thing', {})
  await rpc.next(({ method }) => method === 'alert')
  await peer.connection.close()
  await peer.program.exited
})

const CLEAN = { code: 'OK', exitCode: 0, signal: null }

withChild(
  'a language server as a child reports what is wrong with a document, and exits on request',
  languageServer,
  lsp,
  async (t, connection) => {
    const rpc = await talkToLanguageServer(t, connection)
    rpc.notify('exit', {})
    t.is(await connection.receive(), undefined)
    t.deepEqual(await connection.closed, CLEAN)
  },
)

withChild(
  'an MCP server as a child lists its tools and calls one, and ends with its stdin',
  fixture('mcp-server'),
  mcp,
  async (t, connection) => {
    await talkToMcpServer(t, connection)
    t.deepEqual(await connection.close(), CLEAN)
  },
)

withChild(
  'a language client of vscode-jsonrpc talks to a language server as a child',
  languageServer,
  lsp,
  async (t, connection) => {
    const { reader, writer } = toJsonRpc(connection)
    const client = createMessageConnection(reader, writer)
    const closed = new Promise<void>((resolve) => {
      client.onClose(resolve)
    })
    const published = new Promise<{ readonly uri: string; readonly diagnostics: readonly unknown[] }>((resolve) => {
      client.onNotification('textDocument/publishDiagnostics', resolve)
    })
    client.listen()
    const { capabilities } = await client.sendRequest<{ capabilities: object }>('initialize', initialize)
    t.true('textDocumentSync' in capabilities)
    client.sendNotification('initialized', {})
    client.sendNotification('textDocument/didOpen', {
      textDocument: { uri: 'file:///b.json', languageId: 'json', version: 1, text: '{"a": }' },
    })
    const { uri, diagnostics } = await published
    t.is(uri, 'file:///b.json')
    t.true(diagnostics.length > 0)
    await t.throwsAsync(client.sendRequest('no/such/method'), { message: /no\/such\/method/ })
    t.is(await client.sendRequest('shutdown'), null)
    client.sendNotification('exit')
    await closed
    client.dispose()
    t.deepEqual(await connection.closed, CLEAN)
  },
)
