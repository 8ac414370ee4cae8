/** What the README shows is what a newcomer gets: its own text is run, with the packed package. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import anyTest, { type TestFn } from 'ava'
import { commands } from '../../api/cli/commands/registry.js'
import { installPackage, root, runToEnd, type Project } from './project.js'

const WATCHDOG_MS = 120_000
/** Where the files of the published package can be read. */
const PUBLISHED = 'https://unpkg.com/symphony-transport/'
/** What a reader takes in at once. */
const MOST_BYTES = 10_240

const test = anyTest as TestFn<{ readonly project: Project; readonly text: string }>
// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

test.before('pack and install the package', async (t) => {
  t.timeout(WATCHDOG_MS)
  const text = await fs.readFile(join(root, 'README.md'), 'utf8')
  t.context = { project: await installPackage(WATCHDOG_MS), text }
})

test.after.always('remove the project', async (t) => {
  await t.context.project.remove()
})

interface Block {
  readonly language: string
  readonly text: string
}

/** The blocks of code below a heading, up to the next one. */
function blocksBelow(text: string, heading: string): readonly Block[] {
  const [, section] = text.split(`\n## ${heading}\n`)
  if (section === undefined) throw new Error(`the README has no section ${heading}`)
  const [own = ''] = section.split('\n## ')
  return [...own.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({ language, text: code }))
}

onPosix('two files and three commands: from the installation to the first answer of another process', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { project, text } = t.context
  const blocks = blocksBelow(text, 'Two processes in a minute')
  const [server, client, ...others] = blocks.flatMap((block) => {
    const [, name] = /^\/\/ (\S+\.mjs)\n/.exec(block.text) ?? []
    return name === undefined ? [] : [{ name, code: block.text }]
  })
  const shell = blocks.filter(({ language }) => language === 'sh').flatMap((block) => block.text.trim().split('\n'))
  if (server === undefined || client === undefined) throw new Error('the README shows no server and client')
  t.deepEqual(others, [])
  // The first of them is what made the project, from the packed package instead of a published one.
  t.deepEqual(shell, ['npm install symphony-transport', `node ${server.name}`, `node ${client.name}`])

  for (const { name, code } of [server, client]) await project.write(name, code)
  const runtime = project.outside('runtime')
  await fs.mkdir(runtime, { mode: 0o700 })
  const env = { ...process.env, NODE_OPTIONS: undefined, XDG_RUNTIME_DIR: runtime }
  const running = spawn(process.execPath, [server.name], {
    cwd: project.path,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(running, 'exit')
  try {
    await once(createInterface(running.stdout), 'line')
    const asking = spawn(process.execPath, [client.name], {
      cwd: project.path,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    createInterface(asking.stdout).on('line', (line) => lines.push(line))
    t.deepEqual(await once(asking, 'close'), [0, null])
    t.deepEqual(lines, ['hello, world'])
    running.kill('SIGTERM')
    t.deepEqual(await ended, [0, null])
    t.deepEqual(await fs.readdir(join(runtime, 'symphony-transport')).catch(() => []), [])
  } finally {
    running.kill('SIGKILL')
    await ended
  }
})

test('JSON over lines, to a program that knows nothing of this package', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { project, text } = t.context
  const block = blocksBelow(text, 'Two processes in a minute').find((each) => each.text.includes('json('))
  const path = project.socketPath()
  const code = block?.text.replace('unix:/run/app.sock', `unix:${path}`) ?? ''
  t.true(code.includes(path))
  const received: string[] = []
  const peer = net.createServer((socket) => {
    createInterface(socket).on('line', (line) => {
      received.push(line)
      socket.end('{"text":"first"}\n[2]\n')
    })
  })
  peer.listen(path)
  try {
    await once(peer, 'listening')
    const program = [
      "import { createEngine } from 'symphony-transport'",
      'const engine = await createEngine()',
      code,
      'console.log((await engine.close()).leaked)',
    ]
    await project.write('json.mjs', program.join('\n'))
    const { end, stdout, stderr } = await runToEnd(process.execPath, ['json.mjs'], project.path, WATCHDOG_MS)
    t.deepEqual([end, stdout, stderr], [0, "{ text: 'first' }\n[ 2 ]\n0\n", ''])
    t.deepEqual(received, ['{"method":"open","path":"notes.txt"}'])
  } finally {
    peer.close()
  }
})

test('it is short, and every page that it links to is in the package', (t) => {
  const { project, text } = t.context
  t.true(Buffer.byteLength(text) <= MOST_BYTES, `${String(Buffer.byteLength(text))} bytes`)
  const targets = [...text.matchAll(/(?:\]\(|src(?:set)?=")([^)"\s]+)/g)].map(([, target = '']) => target)
  t.true(targets.length > 20)
  // npm shows the README alone: what is relative leads nowhere there.
  t.deepEqual(
    targets.filter((target) => !target.startsWith(PUBLISHED)),
    [],
  )
  const files = new Set(project.files)
  t.deepEqual(
    targets.map((target) => target.slice(PUBLISHED.length)).filter((path) => !files.has(path)),
    [],
  )
})

test('every command that it shows exists', (t) => {
  const shown = [...t.context.text.matchAll(/^npx symphony-transport (\w+)/gm)].map(([, name]) => name)
  t.true(shown.length >= 5)
  const known = commands.map(({ name }) => name)
  t.deepEqual(
    shown.filter((name) => name === undefined || !known.includes(name)),
    [],
  )
})
