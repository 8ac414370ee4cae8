/** The package as compilers, bundlers and debuggers read it: what it declares, and nothing that leads nowhere. */
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import test from 'ava'
import { publint } from 'publint'
import ts from 'typescript'
import { version } from '../../engine/common/version.js'
import { byLength } from '../helpers/length.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { packPackage, root, runToEnd, type Packed } from './project.js'

const WATCHDOG_MS = 100_000
const NAME = 'symphony-transport'

let folder: TemporaryFolder | undefined
let packed: Packed | undefined

test.before('the package is packed and unpacked', async (t) => {
  t.timeout(WATCHDOG_MS)
  folder = await makeTemporaryFolder()
  packed = await packPackage(folder.path, WATCHDOG_MS)
  const { end, stderr } = await runToEnd('tar', ['-xzf', packed.tarball], folder.path, WATCHDOG_MS)
  if (end !== 0) throw new Error(stderr)
  await fs.mkdir(join(folder.path, 'node_modules'))
  await fs.rename(join(folder.path, 'package'), installed())
})

test.after.always('the folder is removed', async () => {
  await folder?.remove()
})

function place(): string {
  if (folder === undefined) throw new Error('there is no folder')
  return folder.path
}

function installed(): string {
  return join(place(), 'node_modules', NAME)
}

function tarball(): { readonly path: string; readonly files: readonly string[] } {
  if (packed === undefined) throw new Error('the package is not packed')
  return { path: packed.tarball, files: packed.files }
}

async function readTarball(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await fs.readFile(tarball().path))
}

const declarations = (ending: RegExp): readonly string[] =>
  tarball().files.filter((file) => file.startsWith('dist/types/') && ending.test(file))

/** What a strict host sees, which has these types and no others. */
async function compile(program: string, text: string, options: ts.CompilerOptions): Promise<readonly string[]> {
  const file = join(place(), program)
  await fs.writeFile(file, text)
  const checked = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    skipDefaultLibCheck: true,
    ...options,
  })
  return ts.getPreEmitDiagnostics(checked).map((diagnostic) => {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')
    return `TS${String(diagnostic.code)}: ${message}`
  })
}

const withNode = { types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] }

test('every way to resolve a type finds it, and finds the right kind of module', async (t) => {
  t.timeout(WATCHDOG_MS)
  const analysis = await checkPackage(createPackageFromTarballData(await readTarball()))
  if (analysis.types === false) throw new Error('there are no types')
  // TypeScript's old resolution knows no `exports`, and no subpath without them. It is gone with TypeScript 6.
  const problems = analysis.problems.filter((problem) => {
    return !(problem.kind === 'NoResolution' && problem.resolutionKind === 'node10')
  })
  t.deepEqual(problems, [])
})

test('package.json is what publint asks for', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { buffer } = await readTarball()
  const { messages } = await publint({ pack: { tarball: buffer }, strict: true })
  t.deepEqual(messages, [])
})

test('each name that the package exports is declared in one file, for each kind of module', async (t) => {
  const manifest = JSON.parse(await fs.readFile(join(installed(), 'package.json'), 'utf8')) as {
    readonly version: string
    readonly exports: Readonly<Record<string, { readonly import: { readonly types: string } } | string>>
  }
  t.is(manifest.version, version)
  const named = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : entry.import.types,
  )
  const entries = declarations(/\/types\/[^/]+\.d\.ts$/).map((file) => `./${file}`)
  t.deepEqual([...entries].sort(), [...named].sort())
  const twins = declarations(/\.d\.cts$/).map((file) => file.replace(/cts$/, 'ts'))
  t.deepEqual([...twins].sort(), [...declarations(/\.d\.ts$/)].sort())
})

/** Values that a type takes its parts from. They say nothing that the type does not say. */
const sources = new Set(['errorCodes', 'framingKinds', 'resourceKinds', 'names', 'CounterName'])

test('what is declared is exported, so that nothing internal can be reached', async (t) => {
  const unexported: string[] = []
  for (const file of declarations(/\.d\.ts$/)) {
    const text = await fs.readFile(join(installed(), file), 'utf8')
    const parsed = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022)
    const exported = new Set<string>()
    const declared: string[] = []
    for (const statement of parsed.statements) {
      if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
        for (const { name, propertyName } of statement.exportClause.elements) exported.add((propertyName ?? name).text)
      } else if (ts.isVariableStatement(statement)) {
        declared.push(...statement.declarationList.declarations.map(({ name }) => name.getText(parsed)))
      } else if ('name' in statement) {
        declared.push((statement.name as ts.Identifier).text)
      }
    }
    t.true(exported.size > 0, file)
    unexported.push(...declared.filter((name) => !exported.has(name) && !sources.has(name)))
    t.notRegex(text, /^ *(?:private|protected) /m, file)
  }
  t.deepEqual(unexported, [])
})

const host = `import { createEngine, TransportError, type Connection } from '${NAME}'
import { toDuplex } from '${NAME}/adapters'
export const write = (connection: Connection) => toDuplex(connection).write('text')
export const boot = async () => (await createEngine()).transport('memory:typed').connect()
// @ts-expect-error a code of no error
export const isOther = (error: TransportError) => error.code === 'ERR_OTHER'
`

// packed.test.ts has hosts of both kinds with NodeNext.
const modules = byLength({ short: ['Node16'], long: ['Node16', 'Node18', 'Node20'] } as const)
for (const module of modules) {
  test(`a CommonJS host compiles with module ${module}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    t.deepEqual(await compile(`${module}.cts`, host, { module: ts.ModuleKind[module], ...withNode }), [])
  })
}

test('a host that is bundled compiles, too', async (t) => {
  t.timeout(WATCHDOG_MS)
  const options = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, ...withNode }
  t.deepEqual(await compile('bundled.ts', host, options), [])
})

test('without @types/node the first error names it, and so do all others', async (t) => {
  t.timeout(WATCHDOG_MS)
  const options = { module: ts.ModuleKind.NodeNext, types: [], typeRoots: [] }
  const [first, ...rest] = await compile('bare.mts', host, options)
  t.regex(first ?? '', /^TS2688: Cannot find type definition file for 'node'/)
  t.deepEqual(
    rest.filter((error) => !/@types\/node|'NodeJS'|'node'|'node:/.test(error)),
    [],
  )
})

test('no file points to a source map that is not there', async (t) => {
  const { files } = tarball()
  t.deepEqual(
    files.filter((file) => file.endsWith('.map')),
    [],
  )
  for (const file of files.filter((name) => /\.(?:c?js|c?ts)$/.test(name))) {
    const text = await fs.readFile(join(installed(), file), 'utf8')
    t.notRegex(text, /^\/\/# sourceMappingURL=/m, file)
  }
})
