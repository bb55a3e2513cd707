import { defineConfig } from '../../src/index.ts' // in your project: from 'sluice'

export default defineConfig({
  documents: {
    product: {
      table: 'shop.product',
      index: 'products',
      // A product that is taken out of the shop keeps its row and loses its document; put back, it is there again.
      where: 'deleted_at IS NULL',
      // cost stays out: it is nobody's business, and a change of it alone costs no mark.
      fields: ['id', 'name', 'description', 'price', 'updated_at'],
      relations: {
        // A renamed brand or category is one row, and a new document for each of its products.
        brand: { one: 'shop.brand', flatten: 'name' },
        category: {
          one: 'shop.category',
          fields: ['name'],
          relations: { parent: { one: 'shop.category', on: { parent_id: 'id' }, flatten: 'name' } },
        },
        tags: { many: 'shop.tag', through: { table: 'shop.product_tag' }, orderBy: 'name', flatten: 'name' },
        reviews: {
          many: 'shop.review',
          where: 'approved',
          fields: ['stars', 'text'],
          orderBy: 'id desc',
          limit: 100,
        },
      },
      mappings: {
        properties: {
          // What facets count by.
          brand: { type: 'keyword' },
          category: { properties: { name: { type: 'keyword' }, parent: { type: 'keyword' } } },
          tags: { type: 'keyword' },
          // What transform adds.
          rating: { type: 'half_float' },
          review_count: { type: 'integer' },
        },
      },
      transform: (product) => {
        const reviews = Array.isArray(product.reviews) ? product.reviews : []
        const stars = reviews.reduce((sum: number, review: { stars: number }) => sum + review.stars, 0)
        return {
          ...product,
          rating: reviews.length === 0 ? null : Math.round((stars / reviews.length) * 10) / 10,
          review_count: reviews.length,
        }
      },
    },
  },
})
