#define WICK_ROWS <tests/support/op_table/creation.h>
#define WICK_ROWS_NAME "creation"
#include <tests/support/op_table/define.h>
