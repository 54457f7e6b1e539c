/** What a space needs of this floor, as one module: a page loads it while it opens the space (load.ts). */
export { Database } from './database.js'
export { documentsOf } from './documents.js'
export { nameOfCatalogObject } from './migrations.js'
export { openSqlite } from './sqlite.js'
