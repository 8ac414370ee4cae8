/**
 * Runs before the compiler, which writes only what has changed. It takes out of dist/ what sources that are gone have
 * left there, since such tests would still run. If anything is missing, it makes the compiler write everything.
 */
import fs from 'node:fs'
import { join, relative } from 'node:path'

const DIST = 'dist'
const FOLDERS = ['api', 'engine', 'workers', 'test', 'perf']
/** Of the compiler's. What bundlers write is named otherwise, or lies in dist/types. */
const OUTPUTS = ['.js', '.d.ts']
/** Written for coverage alone. */
const MAP = '.js.map'

/** For browsers: bundled into a page when one is written, and never compiled into dist/. */
const BUNDLED = join('perf', 'report', 'client')

/** What packages of their own have installed is not ours. */
function filesIn(folder, ending) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(path, ending)
    return path.endsWith(ending) ? [path] : []
  })
}

/** Paths below `root`, without the ending. */
function stems(root, ending) {
  return FOLDERS.flatMap((folder) => {
    const path = join(root, folder)
    if (!fs.existsSync(path)) return []
    return filesIn(path, ending).map((file) => relative(root, file.slice(0, -ending.length)))
  })
}

// What only declares is not compiled.
const sources = new Set(
  stems('.', '.ts').filter((stem) => !stem.endsWith('.d') && !stem.startsWith(join(BUNDLED, '/'))),
)
for (const ending of [...OUTPUTS, MAP]) {
  const written = new Set(stems(DIST, ending))
  for (const stem of written) if (!sources.has(stem)) fs.rmSync(join(DIST, stem + ending))
  if (ending === MAP) continue
  const isComplete = [...sources].every((stem) => written.has(stem))
  if (!isComplete) fs.rmSync(join(DIST, '.tsbuildinfo'), { force: true })
}
