// The report of `npm run coverage`: which lines of api/, engine/ and workers/ the tests run, also in worker threads and in
// programs that tests start. What is killed writes nothing, so what runs only there counts as not run.
const folders = ['api', 'engine', 'workers']

export default {
  name: 'symphony-transport',
  outputDir: 'coverage',
  reports: ['console-details', 'v8', 'lcovonly'],
  entryFilter: Object.fromEntries([
    ['**/node_modules/**', false],
    ...folders.map((folder) => [`**/dist/${folder}/**`, true]),
  ]),
  sourceFilter: Object.fromEntries([['**/node_modules/**', false], ...folders.map((folder) => [`${folder}/**`, true])]),
  // Also what no test has loaded. Of the built files, in which types are nothing.
  all: { dir: folders.map((folder) => `dist/${folder}`), filter: { '**/*.cjs': false, '**/*.js': true } },
}
