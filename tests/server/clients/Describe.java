import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Asks what there is, as tools on the JVM do when they connect and show tables. */
public class Describe {
  public static void main(String[] arguments) throws SQLException {
    try (Connection connection = DriverManager.getConnection(arguments[0], arguments[1], "")) {
      DatabaseMetaData data = connection.getMetaData();
      read(data.getCatalogs());
      read(data.getSchemas());
      read(data.getTableTypes());
      read(data.getTypeInfo());
      read(data.getTables(null, null, "%", null));
      read(data.getTables(null, "public", "tiny%", new String[] {"TABLE", "VIEW"}));
      read(data.getColumns(null, null, "%", "%"));
      read(data.getColumns(null, "public", "tiny_sales", "%"));
      read(data.getPrimaryKeys(null, "public", "tiny_sales"));
      read(data.getImportedKeys(null, "public", "tiny_sales"));
      read(data.getExportedKeys(null, "public", "tiny_sales"));
      read(data.getIndexInfo(null, "public", "tiny_sales", false, true));
      read(data.getBestRowIdentifier(null, "public", "tiny_sales", DatabaseMetaData.bestRowSession, true));
      read(data.getVersionColumns(null, "public", "tiny_sales"));
      read(data.getTablePrivileges(null, "public", "tiny_sales"));
      read(data.getColumnPrivileges(null, "public", "tiny_sales", "%"));
      read(data.getFunctions(null, "atscale%", "%"));
      read(data.getProcedures(null, "public", "%"));
      read(data.getUDTs(null, null, "%", null));
      data.getSQLKeywords();
      data.getMaxColumnsInIndex();
      data.getNumericFunctions();
    }
  }

  private static void read(ResultSet rows) throws SQLException {
    try (rows) {
      int columns = rows.getMetaData().getColumnCount();
      while (rows.next()) {
        for (int number = 1; number <= columns; number++) {
          rows.getString(number);
        }
      }
    }
  }
}
