import { eventStoreMigrations } from '#event-store'
import { messagingMigrations } from '#messaging'
import type { Migration } from '#postgres'
import { projectionsMigrations } from '#projections'
import { invariantMigrations } from '#service'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import { CreateAudit1764000000400, CreateOperations1764000000300, LeaveAnswersToTheStore1764000000500 } from './ops/migrations.js'

/**
 * Columns but the keys can be null: topics are read side by side, so a row may begin with any of its parts. Texts that lists sort by compare
 * by bytes, so that an upgrade of the C library cannot reorder them. `ts_rank` and the lists' sort keys have their indexes; see the EXPLAIN test.
 */
class CreateReadModels1764000000200 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query(`
      CREATE TABLE orders (
        order_id text COLLATE "C" PRIMARY KEY,
        customer_id text COLLATE "C",
        status text COLLATE "C",
        version int,
        items jsonb,
        subtotal_paise bigint,
        cgst_paise bigint,
        sgst_paise bigint,
        igst_paise bigint,
        shipping_paise bigint,
        grand_total_paise bigint,
        shipping_address jsonb,
        payment_choice jsonb,
        cancellation jsonb,
        carrier text,
        tracking_number text,
        shipped_at timestamptz(3),
        out_for_delivery_at timestamptz(3),
        delivered_at timestamptz(3),
        return_items jsonb,
        return_reason jsonb,
        return_requested_at timestamptz(3),
        return_accepted_at timestamptz(3),
        refund_paise bigint,
        search_text text,
        search tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(search_text, ''))) STORED,
        placed_at timestamptz(3),
        updated_at timestamptz(3)
      ) WITH (fillfactor = 85)`)
    await runner.query('CREATE INDEX orders_of_customer ON orders (customer_id, placed_at, order_id) WHERE placed_at IS NOT NULL')
    await runner.query('CREATE INDEX orders_by_time ON orders (placed_at, order_id) WHERE placed_at IS NOT NULL')
    await runner.query('CREATE INDEX orders_by_status ON orders (status, placed_at, order_id) WHERE placed_at IS NOT NULL')
    await runner.query('CREATE INDEX orders_by_total ON orders (grand_total_paise, order_id) WHERE placed_at IS NOT NULL')
    await runner.query('CREATE INDEX orders_search ON orders USING gin (search)')
    await runner.query(`
      CREATE TABLE payments (
        order_id text COLLATE "C" PRIMARY KEY,
        payment_id text,
        status text,
        method text,
        amount_paise bigint,
        authorised_paise bigint,
        captured_paise bigint,
        refunded_paise bigint,
        updated_at timestamptz(3)
      ) WITH (fillfactor = 80)`)
    await runner.query(`
      CREATE TABLE order_history (
        order_id text COLLATE "C",
        stream text COLLATE "C",
        version bigint,
        incarnation text COLLATE "C",
        at timestamptz(3),
        type text,
        by text,
        summary text,
        staff_only boolean,
        PRIMARY KEY (order_id, stream, version)
      )`)
    // The Hindi configuration stems Devanagari as Hindi and ASCII words as English; 'simple' finds words as they stand (names, model numbers).
    await runner.query(`
      CREATE TABLE products (
        sku text COLLATE "C" PRIMARY KEY,
        version int,
        title text COLLATE "C",
        description text,
        category text COLLATE "C",
        brand text COLLATE "C",
        price_paise bigint,
        gst_rate int,
        hsn text,
        attributes jsonb,
        updated_at timestamptz(3),
        search tsvector GENERATED ALWAYS AS (
          setweight(to_tsvector('hindi', coalesce(title, '')) || to_tsvector('simple', coalesce(title, '') || ' ' || sku), 'A') ||
          setweight(to_tsvector('simple', coalesce(brand, '') || ' ' || coalesce(category, '')), 'B') ||
          setweight(to_tsvector('hindi', coalesce(description, '')) || to_tsvector('simple', coalesce(description, '')), 'C')
        ) STORED
      )`)
    await runner.query('CREATE INDEX products_by_title ON products (title, sku)')
    await runner.query('CREATE INDEX products_by_price ON products (price_paise, sku)')
    await runner.query('CREATE INDEX products_by_time ON products (updated_at, sku)')
    await runner.query('CREATE INDEX products_of_category_by_title ON products (category, title, sku)')
    await runner.query('CREATE INDEX products_of_category_by_price ON products (category, price_paise, sku)')
    await runner.query('CREATE INDEX products_of_brand_by_title ON products (brand, title, sku)')
    await runner.query('CREATE INDEX products_search ON products USING gin (search)')
    await runner.query(`
      CREATE TABLE stock (
        sku text COLLATE "C" PRIMARY KEY,
        version int,
        on_hand int,
        reserved int,
        available int,
        updated_at timestamptz(3)
      ) WITH (fillfactor = 80)`)
  }
  async down(runner: QueryRunner) {
    await runner.query('DROP TABLE orders, payments, order_history, products, stock')
  }
}

/** What this app's schema needs. */
export const migrations: readonly Migration[] = [
  ...messagingMigrations,
  ...invariantMigrations,
  ...projectionsMigrations,
  CreateReadModels1764000000200,
  CreateOperations1764000000300,
  CreateAudit1764000000400,
  LeaveAnswersToTheStore1764000000500,
  ...eventStoreMigrations,
]
