#define WICK_ROWS <tests/support/op_table/product.h>
#define WICK_ROWS_NAME "product"
#include <tests/support/op_table/define.h>
