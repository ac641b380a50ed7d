"""Numbers of other libraries, committed as tables. `make references` computes them anew; the tests only read them."""
