import { afterAll, beforeAll } from '@jest/globals'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { foldedBooksMigrations, pgFoldedBooks } from './pg-folded-books.js'
import { foldedBooksConformance } from './testing/folded-books.conformance.js'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase(foldedBooksMigrations)
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

foldedBooksConformance('PostgreSQL', async () => {
  await pool.query('TRUNCATE folded_books')
  return pgFoldedBooks(pool)
})
