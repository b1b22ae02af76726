"""What ships with Vitrine: models and photos, each made by a seeded script of this folder."""
