"""All SQL is here: `database` owns the file, each other module one noun."""
