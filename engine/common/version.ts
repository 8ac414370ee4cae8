/** Of this package, as package.json has it. A bundle has the code and not that file. */
export const version = '0.1.0'
