/**
 * Which folder may import which, by the table in docs/architecture.md, so that the text cannot drift from the code. No
 * cycles, and no exports without a reader; imports of types count, since they too tie one file to another. All in one
 * file, because reading the sources takes longer than its tests.
 */
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import test from 'ava'
import ts from 'typescript'
import { liesIn, root, roots, sources, targetOf, treesIn, type Source, type Tree } from './helpers/sources.js'

const HEADER = /^\|\s*folder\s*\|\s*may import\s*\|/

/** The rows of the table: folder, and the folders and packages that it may import besides itself. */
function readTable(): Map<string, readonly string[]> {
  const path = join(root, 'docs', 'architecture.md')
  if (!fs.existsSync(path)) {
    throw new Error('docs/architecture.md is missing. Write it with a table whose header is | folder | may import |.')
  }
  const lines = fs.readFileSync(path, 'utf8').split('\n')
  const start = lines.findIndex((line) => HEADER.test(line))
  if (start === -1) throw new Error('docs/architecture.md has no table with the header | folder | may import |.')
  const table = new Map<string, readonly string[]>()
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break
    const [, folder = '', allowed = ''] = line.split('|')
    const [name] = namesIn(folder)
    if (name === undefined) throw new Error(`a row of the table names no folder in backticks: ${line}`)
    table.set(name, namesIn(allowed))
  }
  return table
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => (match[1] ?? '').replace(/\/$/, ''))
}

/** The most specific row for a file. */
function rowOf(table: ReadonlyMap<string, readonly string[]>, path: string): string | undefined {
  return [...table.keys()].filter((folder) => liesIn(path, folder)).sort((a, b) => b.length - a.length)[0]
}

function importersOf(module: string): string[] {
  return sources.filter(({ imports }) => imports.includes(module)).map(({ path }) => path)
}

test('there are sources to look at', (t) => {
  for (const folder of ['api', 'engine/connection', 'engine/protocol', 'engine/shard', 'workers']) {
    t.true(
      sources.some(({ path }) => liesIn(path, folder)),
      folder,
    )
  }
  t.true(sources.flatMap(({ ours }) => ours).every((path) => fs.existsSync(join(root, path))))
})

test('imports go only where the table in docs/architecture.md allows', (t) => {
  const table = readTable()
  const wrong: string[] = []
  for (const { path, ours, packages } of sources) {
    const row = rowOf(table, path)
    const allowed = row === undefined ? [] : (table.get(row) ?? [])
    const refuse = (target: string): void => {
      wrong.push(`${path} imports ${target}; its row allows ${allowed.join(', ') || 'nothing'}`)
    }
    if (row === undefined) wrong.push(`${path} lies in no folder of the table`)
    for (const target of ours) {
      const isNeighbour = rowOf(table, target) === row
      if (!isNeighbour && !allowed.some((folder) => liesIn(target, folder))) refuse(target)
    }
    for (const name of packages) if (!allowed.includes(name)) refuse(name)
  }
  t.deepEqual(wrong, [])
})

test('the table keeps the layers of the design', (t) => {
  const folders = new Map(
    [...readTable()].map(([folder, allowed]) => [
      folder,
      allowed.filter((name) => roots.some((top) => liesIn(name, top))).sort(),
    ]),
  )
  t.true((folders.get('api') ?? []).every((name) => liesIn(name, 'engine')))
  const layers = ['protocol', 'common', 'connection', 'shard'].map((name) => `engine/${name}`)
  for (const [i, layer] of layers.entries()) {
    t.deepEqual(
      (folders.get(layer) ?? []).filter((name) => layers.slice(i).includes(name)),
      [],
      `${layer} imports nothing above it`,
    )
  }
  t.deepEqual(folders.get('engine/internals'), [])
  t.deepEqual(folders.get('engine/protocol'), ['engine/internals'])
  t.deepEqual(folders.get('engine/pool'), ['engine/common', 'engine/protocol'])
  t.deepEqual(folders.get('engine/reconnect'), ['engine/common', 'engine/protocol'])
  const ofHandlers = ['calls', 'common', 'connection', 'memory', 'native', 'shared-memory'].map(
    (name) => `engine/${name}`,
  )
  const allowed = [...ofHandlers, 'engine/filesystem', 'engine/internals', 'engine/protocol']
  t.deepEqual(folders.get('workers'), allowed.sort())
  const others = sources.filter(({ path }) => liesIn(path, 'workers') && !liesIn(path, 'workers/handlers'))
  for (const { path, ours } of others) {
    t.false(
      ours.some((target) => ofHandlers.some((folder) => liesIn(target, folder))),
      path,
    )
  }
})

test('no module imports workers: they are named by URL', (t) => {
  const importers = sources.filter(
    ({ path, ours }) => !liesIn(path, 'workers') && ours.some((target) => liesIn(target, 'workers')),
  )
  t.deepEqual(
    importers.map(({ path }) => path),
    [],
  )
})

test('one module knows Piscina, and few know Comlink', (t) => {
  t.deepEqual(importersOf('piscina'), ['engine/shard/load-piscina.ts'])
  const comlink = importersOf('comlink')
  t.true(comlink.includes('engine/shard/control-client.ts'))
  t.true(comlink.includes('workers/entry.ts'))
  const known = [
    'engine/calls/caller.ts',
    'engine/calls/serve-calls.ts',
    'engine/shard/control-client.ts',
    'workers/control-server.ts',
    'workers/entry.ts',
  ]
  t.deepEqual(
    comlink.filter((path) => !known.includes(path)),
    [],
  )
  const server = sources.find(({ path }) => path === 'workers/control-server.ts')
  t.true(server === undefined || importsOnlyTypes(server, 'comlink'), 'the control server imports only types')
})

test('an index only re-exports', (t) => {
  const indexes = sources.filter(({ path }) => basename(path) === 'index.ts')
  t.true(indexes.some(({ path }) => path === 'api/index.ts'))
  for (const { path, tree } of indexes) {
    for (const statement of tree.statements) {
      t.true(
        ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined,
        `${path}: ${statement.getText(tree)}`,
      )
    }
  }
})

test('Atomics.wait appears nowhere: no thread that owns sockets may block', (t) => {
  const found: string[] = []
  for (const { path, tree } of sources) {
    visit(tree, (node) => {
      const blocks =
        (ts.isPropertyAccessExpression(node) &&
          node.expression.getText(tree) === 'Atomics' &&
          node.name.text === 'wait') ||
        (ts.isElementAccessExpression(node) && node.expression.getText(tree) === 'Atomics') ||
        (ts.isBindingElement(node) && (node.propertyName ?? node.name).getText(tree) === 'wait')
      if (blocks) found.push(`${path}: ${node.getText(tree)}`)
    })
  }
  t.deepEqual(found, [])
})

test('only the registry knows the transports', (t) => {
  const registry = sources.find(({ path }) => path === 'workers/transports/transport-registry.ts')
  const transports = registry?.ours.filter((path) => liesIn(path, 'workers/transports')) ?? []
  t.true(transports.includes('workers/transports/unix.ts'))
  t.true(transports.includes('workers/transports/memory.ts'))
  const wrong: string[] = []
  for (const { path, ours } of sources) {
    for (const target of ours) {
      const isTransport = transports.includes(target) && path !== registry?.path
      const fromOutside =
        liesIn(target, 'workers/transports') && target !== registry?.path && !liesIn(path, 'workers/transports')
      if (isTransport || fromOutside) wrong.push(`${path} imports ${target}`)
    }
  }
  t.deepEqual(wrong, [])
})

function importsOnlyTypes({ tree }: Source, module: string): boolean {
  return tree.statements
    .filter((statement) => ts.isImportDeclaration(statement))
    .filter(({ moduleSpecifier }) => ts.isStringLiteral(moduleSpecifier) && moduleSpecifier.text === module)
    .every(({ importClause }) => importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node)
  ts.forEachChild(node, (child) => {
    visit(child, see)
  })
}

/** Worker threads and shells start these by their path. */
const STARTED_BY_NAME: readonly string[] = ['workers/entry.ts', 'api/cli/main.ts']

type Graph = ReadonlyMap<string, ReadonlySet<string>>

/** One cycle for each way back that a walk along the graph finds. */
function cyclesOf(graph: Graph): readonly string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const walk = (node: string, path: readonly string[]): void => {
    const from = path.indexOf(node)
    if (from !== -1) cycles.push([...path.slice(from), node].join(' -> '))
    if (from !== -1 || done.has(node)) return
    for (const next of graph.get(node) ?? []) walk(next, [...path, node])
    done.add(node)
  }
  for (const node of graph.keys()) walk(node, [])
  return cycles
}

const files: Graph = new Map(sources.map(({ path, ours }) => [path, new Set(ours)]))

/** A folder and one that lies in it are one part. */
function foldersOf(graph: Graph): Graph {
  const folders = new Map<string, Set<string>>()
  for (const [path, targets] of graph) {
    const folder = dirname(path)
    const others = folders.get(folder) ?? new Set<string>()
    folders.set(folder, others)
    for (const other of [...targets].map(dirname))
      if (!liesIn(other, folder) && !liesIn(folder, other)) others.add(other)
  }
  return folders
}

test('a walk finds each way back', (t) => {
  const graph = new Map([
    ['a', new Set(['b', 'c'])],
    ['b', new Set(['c'])],
    ['c', new Set(['d'])],
    ['d', new Set(['b', 'e'])],
  ])
  t.deepEqual(cyclesOf(graph), ['b -> c -> d -> b'])
})

test('no file imports itself by way of others', (t) => {
  t.deepEqual(cyclesOf(files), [])
})

test('no folder imports itself by way of others', (t) => {
  t.deepEqual(cyclesOf(foldersOf(files)), [])
})

/** Functions, classes and constants that a file exports by name. */
function exportedValues({ tree }: Tree): readonly string[] {
  return tree.statements.flatMap((statement) => {
    if (!ts.canHaveModifiers(statement)) return []
    const isExported = ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false
    if (!isExported) return []
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => name.getText())
    const isValue = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)
    return isValue && statement.name !== undefined ? [statement.name.text] : []
  })
}

test('what a file exports is imported by another, if only by a test', (t) => {
  const imported = new Set<string>()
  for (const { path, tree } of [...sources, ...treesIn(['test', 'perf'])]) {
    for (const statement of tree.statements) {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue
      const { moduleSpecifier } = statement
      if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) continue
      const names = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : statement.exportClause
      const target = targetOf(path, moduleSpecifier.text)
      if (names === undefined || !('elements' in names)) continue
      for (const { propertyName, name } of names.elements) imported.add(`${target}: ${(propertyName ?? name).text}`)
    }
  }
  t.deepEqual(
    sources
      .filter(({ path }) => !STARTED_BY_NAME.includes(path))
      .flatMap((source) => exportedValues(source).map((name) => `${source.path}: ${name}`))
      .filter((name) => !imported.has(name)),
    [],
  )
})
