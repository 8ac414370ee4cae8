/** Bundlers, Jest and single executables do what docs/bundling.md says, with its own files and commands. */
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { readPageParts, type PagePart } from '../helpers/page-parts.js'
import { toolsFolder, withTool } from '../helpers/tools-folder.js'
import { installPackage, runToEnd, type Ended, type Project } from '../package/project.js'

const PAGE = 'docs/bundling.md'
const INSTALL_WATCHDOG_MS = 180_000
/** A bundler has much to do on a busy machine. */
const WATCHDOG_MS = 240_000

const parts = await readPageParts(PAGE)
let installed: Promise<Project> | undefined

test.after.always('the project is removed', async () => {
  const project = await installed?.catch(() => undefined)
  await project?.remove()
})

/** A project with the package in it, inside a folder with the tools. */
async function install(): Promise<Project> {
  const project = await installPackage(INSTALL_WATCHDOG_MS)
  await fs.symlink(toolsFolder, project.outside('node_modules'))
  return project
}

function part(title: string): PagePart {
  const found = parts.find((one) => one.title === title)
  if (found === undefined) throw new Error(`${PAGE} has no heading "${title}"`)
  return found
}

/** In a shell, as a reader would; npx is left out, which would look for what it runs in a registry. */
function runScript(project: Project, script: string): Promise<Ended> {
  const folders = [dirname(process.execPath), join(toolsFolder, '.bin')]
  const path = folders.map((folder) => `'${folder}':`).join('')
  const commands = script.replaceAll(/^npx /gm, '')
  return runToEnd('sh', ['-ec', `export PATH=${path}"$PATH"\n${commands}`], project.path, WATCHDOG_MS)
}

/** Writes the files of a part, runs its scripts, and removes what came of it. */
async function tryPart(title: string): Promise<readonly Ended[]> {
  installed ??= install()
  const project = await installed
  const [host] = parts
  const { files, scripts } = part(title)
  const ends: Ended[] = []
  for (const [name, text] of [...(host?.files ?? []), ...files]) await project.write(name, text)
  try {
    for (const script of scripts) ends.push(await runScript(project, script))
  } finally {
    for (const name of ['out', 'away', ...files.keys()]) {
      await fs.rm(join(project.path, name), { recursive: true, force: true })
    }
  }
  return ends
}

async function works(t: ExecutionContext, title: string, count: number): Promise<void> {
  t.timeout(INSTALL_WATCHDOG_MS + count * WATCHDOG_MS)
  const ends = await tryPart(title)
  t.is(ends.length, count)
  for (const { end, stdout, stderr } of ends) {
    t.is(end, 0, `${stdout}${stderr}`)
    t.regex(stdout, /(?:^|\n)hello\nleaked 0\n$/, stderr)
  }
}

// The page is for POSIX shells.
const declare = process.platform === 'win32' ? (): void => undefined : withTool

for (const [tool, title, count] of [
  ['esbuild', 'esbuild', 2],
  ['webpack', 'webpack 5', 1],
  ['rollup', 'Rollup', 1],
  ['esbuild', 'A folder without installed packages', 1],
  ['postject', 'Single executables of Node', 1],
] as const) {
  declare(tool, `${title}: a host is built, runs, and releases everything`, (t) => works(t, title, count))
}

declare('vite', 'Vite, for servers: a host is built with and without packages inside', async (t) => {
  await works(t, 'Vite, for servers', 2)
})

declare('jest', 'Jest requires the package in its CommonJS mode', async (t) => {
  t.timeout(INSTALL_WATCHDOG_MS + WATCHDOG_MS)
  const [ended] = await tryPart('Jest')
  t.is(ended?.end, 0, ended?.stderr)
  t.regex(ended?.stderr ?? '', /Tests: +1 passed, 1 total/)
})
